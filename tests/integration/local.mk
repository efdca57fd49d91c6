# The programs together, as their users run them; see tests/support/tap.sh.
EXTRA_DIST += \
	%D%/cli_lib.sh \
	%D%/client_lib.sh \
	%D%/lib.sh \
	tests/support/check.mjs \
	tests/support/session.mjs \
	tests/support/tap.sh

integration_tests = \
	%D%/arrow.sh \
	%D%/bench.sh \
	%D%/cli.sh \
	%D%/cli_files.sh \
	%D%/cli_stop.sh \
	%D%/cli_tables.sh \
	%D%/dumpavail2jsonl.sh \
	%D%/evict.sh \
	%D%/export.sh \
	%D%/foreign.sh \
	%D%/full_disk.sh \
	%D%/import.sh \
	%D%/intern.sh \
	%D%/methods_doc.sh \
	%D%/queries.sh \
	%D%/realdata.sh \
	%D%/server.sh \
	%D%/sets.sh \
	%D%/tables.sh
TESTS += $(integration_tests)
EXTRA_DIST += \
	$(integration_tests) \
	%D%/arrow.mjs \
	%D%/export.mjs \
	%D%/queries.mjs \
	%D%/queries/changes.mjs \
	%D%/queries/compare.mjs \
	%D%/queries/coverage.mjs \
	%D%/queries/engines.mjs \
	%D%/queries/queries.mjs \
	%D%/queries/random.mjs \
	%D%/queries/smaller.mjs \
	%D%/queries/tables.mjs \
	%D%/queries/translate.mjs \
	%D%/queries/types.mjs \
	%D%/foreign.mjs \
	%D%/import.mjs \
	%D%/foreign.py \
	%D%/foreign.vim

# Tables from files into files, for arrow.sh.
check_PROGRAMS += table_convert
table_convert_SOURCES = \
	tests/support/export_all.c \
	tests/support/export_all.h \
	tests/support/table_convert.c
table_convert_LDADD = libheap.la -lm

# Clients against the real server.
if HAVE_CHECK
check_LTLIBRARIES += libservertest.la
libservertest_la_SOURCES = \
	tests/support/server_process.c \
	tests/support/server_process.h \
	tests/support/session_fixture.c \
	tests/support/session_fixture.h \
	tests/support/wire.c \
	tests/support/wire.h
libservertest_la_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
SERVER_TEST_LIBS = libservertest.la libtestsupport.la libprotocol.la $(CHECK_LIBS)

check_PROGRAMS += integration_memory integration_session
TESTS += integration_memory integration_session
integration_memory_SOURCES = %D%/test_memory.c
integration_memory_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
integration_memory_LDADD = $(SERVER_TEST_LIBS)
integration_session_SOURCES = %D%/test_session.c
integration_session_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
integration_session_LDADD = $(SERVER_TEST_LIBS)

# The server within the test.
check_PROGRAMS += integration_gone
TESTS += integration_gone
integration_gone_SOURCES = %D%/test_gone.c
integration_gone_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(UV_CFLAGS)
integration_gone_LDADD = libservertest.la $(SESSION_TEST_LIBS) $(UV_LIBS) $(INIH_LIBS)

# Ten million objects: only where nothing slows the server down.
if !SANITIZE
if !GC_STRESS
check_PROGRAMS += integration_pause
TESTS += integration_pause
endif
endif
integration_pause_SOURCES = %D%/test_pause.c
integration_pause_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
integration_pause_LDADD = $(SERVER_TEST_LIBS)
endif
