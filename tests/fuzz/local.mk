# Fuzz targets. Each is built twice: with libFuzzer (fuzz_NAME, only with --enable-fuzz,
# which needs clang) and, always, with replay.c, as a test that runs the corpus
# (replay_NAME). The corpora are found through CAIRN_SOURCE.
#
#     ../configure CC=clang --enable-fuzz --enable-sanitize && make fuzz_decoder
#     mkdir found && ./fuzz_decoder -max_total_time=60 found ../tests/fuzz/corpus/decoder
#
# What fails goes into the corpus, under a name that says what it was.
EXTRA_DIST += %D%/corpus

fuzz_replays = \
	replay_arrow \
	replay_calls \
	replay_csv \
	replay_decoder \
	replay_filter \
	replay_json \
	replay_query \
	replay_session
check_PROGRAMS += $(fuzz_replays)
TESTS += $(fuzz_replays)

fuzz_arrow_sources = \
	%D%/fuzz.h \
	%D%/fuzz_arrow.c \
	%D%/fuzz_table.h \
	tests/support/export_all.c \
	tests/support/export_all.h \
	tests/support/random.h
fuzz_arrow_libs = libheap.la -lm
replay_arrow_SOURCES = $(fuzz_arrow_sources) %D%/replay.c
replay_arrow_LDADD = $(fuzz_arrow_libs)

fuzz_calls_sources = \
	%D%/fuzz.h \
	%D%/fuzz_calls.c \
	tests/support/in_process.c \
	tests/support/in_process.h \
	tests/support/literal.c \
	tests/support/literal.h \
	tests/support/random.h
fuzz_calls_libs = libserver.la libprotocol.la libheap.la
replay_calls_SOURCES = $(fuzz_calls_sources) %D%/replay.c
replay_calls_LDADD = $(fuzz_calls_libs)

fuzz_csv_sources = \
	%D%/fuzz.h \
	%D%/fuzz_csv.c \
	%D%/fuzz_table.h \
	tests/support/export_all.c \
	tests/support/export_all.h \
	tests/support/random.h
fuzz_csv_libs = libheap.la -lm
replay_csv_SOURCES = $(fuzz_csv_sources) %D%/replay.c
replay_csv_LDADD = $(fuzz_csv_libs)

fuzz_decoder_sources = \
	%D%/fuzz.h \
	%D%/fuzz_decoder.c \
	tests/support/random.h \
	tests/support/trace.c \
	tests/support/trace.h
fuzz_decoder_libs = libprotocol.la
replay_decoder_SOURCES = $(fuzz_decoder_sources) %D%/replay.c
replay_decoder_LDADD = $(fuzz_decoder_libs)

fuzz_filter_sources = \
	%D%/fuzz.h \
	%D%/fuzz_filter.c
fuzz_filter_libs = libcli.la libcairn.la
replay_filter_SOURCES = $(fuzz_filter_sources) %D%/replay.c
replay_filter_LDADD = $(fuzz_filter_libs)

fuzz_json_sources = \
	%D%/fuzz.h \
	%D%/fuzz_json.c \
	%D%/fuzz_table.h \
	tests/support/export_all.c \
	tests/support/export_all.h \
	tests/support/random.h
fuzz_json_libs = libserver.la libprotocol.la libheap.la -lm
replay_json_SOURCES = $(fuzz_json_sources) %D%/replay.c
replay_json_LDADD = $(fuzz_json_libs)

fuzz_query_sources = \
	%D%/fuzz.h \
	%D%/fuzz_query.c
fuzz_query_libs = libheap.la
replay_query_SOURCES = $(fuzz_query_sources) %D%/replay.c
replay_query_LDADD = $(fuzz_query_libs)

fuzz_session_sources = \
	%D%/fuzz.h \
	%D%/fuzz_session.c \
	tests/support/random.h \
	tests/support/trace.c \
	tests/support/trace.h
fuzz_session_libs = libserver.la libprotocol.la libheap.la $(UV_LIBS) $(INIH_LIBS)
replay_session_SOURCES = $(fuzz_session_sources) %D%/replay.c
replay_session_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
replay_session_LDADD = $(fuzz_session_libs)

if FUZZ
LIBFUZZER_FLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
noinst_PROGRAMS += fuzz_arrow fuzz_calls fuzz_csv fuzz_decoder fuzz_filter \
	fuzz_json fuzz_query fuzz_session
fuzz_arrow_SOURCES = $(fuzz_arrow_sources)
fuzz_arrow_LDADD = $(fuzz_arrow_libs)
fuzz_arrow_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_calls_SOURCES = $(fuzz_calls_sources)
fuzz_calls_LDADD = $(fuzz_calls_libs)
fuzz_calls_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_csv_SOURCES = $(fuzz_csv_sources)
fuzz_csv_LDADD = $(fuzz_csv_libs)
fuzz_csv_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_decoder_SOURCES = $(fuzz_decoder_sources)
fuzz_decoder_LDADD = $(fuzz_decoder_libs)
fuzz_decoder_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_filter_SOURCES = $(fuzz_filter_sources)
fuzz_filter_LDADD = $(fuzz_filter_libs)
fuzz_filter_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_json_SOURCES = $(fuzz_json_sources)
fuzz_json_LDADD = $(fuzz_json_libs)
fuzz_json_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_query_SOURCES = $(fuzz_query_sources)
fuzz_query_LDADD = $(fuzz_query_libs)
fuzz_query_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_session_SOURCES = $(fuzz_session_sources)
fuzz_session_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
fuzz_session_LDADD = $(fuzz_session_libs)
fuzz_session_LDFLAGS = $(LIBFUZZER_FLAGS)
endif
