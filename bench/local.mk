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
