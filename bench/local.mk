# The files of bench/; see Makefile.am for the lists.
noinst_LTLIBRARIES += libbench.la
libbench_la_SOURCES = \
	%D%/histogram.c \
	%D%/histogram.h \
	%D%/workload.c \
	%D%/workload.h

bin_PROGRAMS += cairn-bench
cairn_bench_SOURCES = \
	%D%/cairn_bench.c \
	%D%/load.c \
	%D%/load.h
cairn_bench_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
cairn_bench_LDADD = libbench.la libprotocol.la $(UV_LIBS) -lm

noinst_PROGRAMS += bench_decode
bench_decode_SOURCES = %D%/decode.c
bench_decode_CFLAGS = $(AM_CFLAGS) $(MSGPACK_CFLAGS)
bench_decode_LDADD = libprotocol.la $(MSGPACK_LIBS)

# One question each: see measure.h. `make bench` runs them one after the other.
noinst_LTLIBRARIES += libmeasure.la
libmeasure_la_SOURCES = \
	%D%/measure.c \
	%D%/measure.h \
	%D%/pieces.c \
	%D%/pieces.h

MEASURE_LIBS = libmeasure.la libbench.la libheap.la -lm
bench_programs = bench_machine bench_alloc bench_mark bench_barrier bench_drop bench_growth \
	bench_pause bench_pause_server bench_churn bench_bytes bench_idle bench_query bench_table \
	bench_table_bytes bench_table_export bench_table_server
noinst_PROGRAMS += $(bench_programs)

bench_machine_SOURCES = %D%/machine.c
bench_machine_LDADD = $(MEASURE_LIBS)

bench_alloc_SOURCES = %D%/alloc.c
bench_alloc_LDADD = $(MEASURE_LIBS) -ldl

bench_mark_SOURCES = %D%/mark.c
bench_mark_LDADD = $(MEASURE_LIBS)

bench_barrier_SOURCES = %D%/barrier.c
bench_barrier_LDADD = $(MEASURE_LIBS)

bench_drop_SOURCES = %D%/drop.c
bench_drop_LDADD = $(MEASURE_LIBS)

bench_growth_SOURCES = %D%/growth.c
bench_growth_LDADD = $(MEASURE_LIBS)

bench_pause_SOURCES = %D%/pause.c
bench_pause_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
bench_pause_LDADD = libserver.la $(MEASURE_LIBS) $(UV_LIBS)

bench_churn_SOURCES = %D%/churn.c
bench_churn_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
bench_churn_LDADD = libserver.la $(MEASURE_LIBS) $(UV_LIBS)

# Those that ask a server over its protocol.
noinst_LTLIBRARIES += libserverchild.la
libserverchild_la_SOURCES = \
	%D%/server_child.c \
	%D%/server_child.h
SERVER_CHILD_LIBS = libserverchild.la libcairn.la $(MEASURE_LIBS)

bench_pause_server_SOURCES = %D%/pause_server.c
bench_pause_server_LDADD = $(SERVER_CHILD_LIBS)

bench_bytes_SOURCES = %D%/bytes.c
bench_bytes_CPPFLAGS = -DDUMPAVAIL2JSONL='"$(abs_top_srcdir)/contrib/dumpavail2jsonl"' \
	$(AM_CPPFLAGS)
bench_bytes_LDADD = libcli.la $(SERVER_CHILD_LIBS)

bench_idle_SOURCES = %D%/idle.c
bench_idle_LDADD = $(SERVER_CHILD_LIBS)

bench_query_SOURCES = \
	%D%/query.c \
	tests/support/heap_literal.c \
	tests/support/heap_literal.h \
	tests/support/random.h
bench_query_LDADD = $(MEASURE_LIBS)

bench_table_export_SOURCES = %D%/table_export.c
bench_table_export_LDADD = $(SERVER_CHILD_LIBS) libprotocol.la

bench_table_SOURCES = %D%/table.c
bench_table_LDADD = $(MEASURE_LIBS)

bench_table_bytes_SOURCES = %D%/table_bytes.c
bench_table_bytes_LDADD = $(SERVER_CHILD_LIBS)

bench_table_server_SOURCES = %D%/table_server.c
bench_table_server_LDADD = $(SERVER_CHILD_LIBS)

EXTRA_DIST += %D%/report %D%/run %D%/table_duckdb.mjs
CLEANFILES += bench-results.jsonl

# Needs a quiet machine, a build without --enable-debug, and an hour or more; `make bench BENCH=quick`
# a few minutes.
BENCH = full
bench: $(bench_programs) cairn-server
	@$(srcdir)/%D%/run $(BENCH)
