# Fuzz targets. Each is built twice: with libFuzzer (fuzz_NAME, only with --enable-fuzz,
# which needs clang) and, always, with replay.c, as a test that runs the corpus
# (replay_NAME). The corpora are found through CAIRN_SOURCE.
#
#     ../configure CC=clang --enable-fuzz --enable-sanitize && make fuzz_decoder
#     mkdir found && ./fuzz_decoder -max_total_time=60 found ../tests/fuzz/corpus/decoder
#
# What fails goes into the corpus, under a name that says what it was.
EXTRA_DIST += %D%/corpus

fuzz_decoder_sources = \
	%D%/fuzz.h \
	%D%/fuzz_decoder.c \
	tests/support/random.h \
	tests/support/trace.c \
	tests/support/trace.h

check_PROGRAMS += replay_decoder
TESTS += replay_decoder
replay_decoder_SOURCES = $(fuzz_decoder_sources) %D%/replay.c
replay_decoder_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"decoder"'
replay_decoder_LDADD = libprotocol.la

fuzz_session_sources = \
	%D%/fuzz.h \
	%D%/fuzz_session.c \
	tests/support/random.h \
	tests/support/trace.c \
	tests/support/trace.h
fuzz_session_libs = libserver.la libprotocol.la libheap.la $(UV_LIBS) $(INIH_LIBS)

check_PROGRAMS += replay_session
TESTS += replay_session
replay_session_SOURCES = $(fuzz_session_sources) %D%/replay.c
replay_session_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"session"'
replay_session_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
replay_session_LDADD = $(fuzz_session_libs)

if FUZZ
noinst_PROGRAMS += fuzz_decoder
fuzz_decoder_SOURCES = $(fuzz_decoder_sources)
fuzz_decoder_LDADD = libprotocol.la
fuzz_decoder_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

noinst_PROGRAMS += fuzz_session
fuzz_session_SOURCES = $(fuzz_session_sources)
fuzz_session_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
fuzz_session_LDADD = $(fuzz_session_libs)
fuzz_session_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

fuzz_calls_sources = \
	%D%/fuzz.h \
	%D%/fuzz_calls.c \
	tests/support/in_process.c \
	tests/support/in_process.h \
	tests/support/literal.c \
	tests/support/literal.h \
	tests/support/random.h
fuzz_calls_libs = libserver.la libprotocol.la libheap.la

check_PROGRAMS += replay_calls
TESTS += replay_calls
replay_calls_SOURCES = $(fuzz_calls_sources) %D%/replay.c
replay_calls_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"calls"'
replay_calls_LDADD = $(fuzz_calls_libs)

if FUZZ
noinst_PROGRAMS += fuzz_calls
fuzz_calls_SOURCES = $(fuzz_calls_sources)
fuzz_calls_LDADD = $(fuzz_calls_libs)
fuzz_calls_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

fuzz_query_sources = \
	%D%/fuzz.h \
	%D%/fuzz_query.c

check_PROGRAMS += replay_query
TESTS += replay_query
replay_query_SOURCES = $(fuzz_query_sources) %D%/replay.c
replay_query_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"query"'
replay_query_LDADD = libheap.la

if FUZZ
noinst_PROGRAMS += fuzz_query
fuzz_query_SOURCES = $(fuzz_query_sources)
fuzz_query_LDADD = libheap.la
fuzz_query_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

fuzz_arrow_sources = \
	%D%/fuzz.h \
	%D%/fuzz_arrow.c \
	tests/support/export_all.c \
	tests/support/export_all.h \
	tests/support/random.h

check_PROGRAMS += replay_arrow
TESTS += replay_arrow
replay_arrow_SOURCES = $(fuzz_arrow_sources) %D%/replay.c
replay_arrow_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"arrow"'
replay_arrow_LDADD = libheap.la -lm

if FUZZ
noinst_PROGRAMS += fuzz_arrow
fuzz_arrow_SOURCES = $(fuzz_arrow_sources)
fuzz_arrow_LDADD = libheap.la -lm
fuzz_arrow_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

fuzz_csv_sources = \
	%D%/fuzz.h \
	%D%/fuzz_csv.c \
	tests/support/export_all.c \
	tests/support/export_all.h \
	tests/support/random.h

check_PROGRAMS += replay_csv
TESTS += replay_csv
replay_csv_SOURCES = $(fuzz_csv_sources) %D%/replay.c
replay_csv_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"csv"'
replay_csv_LDADD = libheap.la -lm

if FUZZ
noinst_PROGRAMS += fuzz_csv
fuzz_csv_SOURCES = $(fuzz_csv_sources)
fuzz_csv_LDADD = libheap.la -lm
fuzz_csv_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

fuzz_filter_sources = \
	%D%/fuzz.h \
	%D%/fuzz_filter.c

check_PROGRAMS += replay_filter
TESTS += replay_filter
replay_filter_SOURCES = $(fuzz_filter_sources) %D%/replay.c
replay_filter_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"filter"'
replay_filter_LDADD = libcli.la libcairn.la

if FUZZ
noinst_PROGRAMS += fuzz_filter
fuzz_filter_SOURCES = $(fuzz_filter_sources)
fuzz_filter_LDADD = libcli.la libcairn.la
fuzz_filter_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

fuzz_json_sources = \
	%D%/fuzz.h \
	%D%/fuzz_json.c \
	tests/support/export_all.c \
	tests/support/export_all.h \
	tests/support/random.h
fuzz_json_libs = libserver.la libprotocol.la libheap.la -lm

check_PROGRAMS += replay_json
TESTS += replay_json
replay_json_SOURCES = $(fuzz_json_sources) %D%/replay.c
replay_json_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"json"'
replay_json_LDADD = $(fuzz_json_libs)

if FUZZ
noinst_PROGRAMS += fuzz_json
fuzz_json_SOURCES = $(fuzz_json_sources)
fuzz_json_LDADD = $(fuzz_json_libs)
fuzz_json_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
