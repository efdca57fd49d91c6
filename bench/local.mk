# The files of bench/; see Makefile.am for the lists.
noinst_LTLIBRARIES += libbench.la
libbench_la_SOURCES = \
	%D%/histogram.c \
	%D%/histogram.h \
	%D%/workload.c \
	%D%/workload.h
