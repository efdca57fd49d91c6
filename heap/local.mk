# The heap: values, pages, collector, containers. Needs libc only.
noinst_LTLIBRARIES += libheap.la
libheap_la_SOURCES = \
	%D%/census.h \
	%D%/equal.h \
	%D%/gc.h \
	%D%/heap.h \
	%D%/heap_int.h \
	%D%/list.h \
	%D%/map.h \
	%D%/number.h \
	%D%/store.h \
	%D%/text.h \
	%D%/value.c \
	%D%/value.h \
	%D%/verify.h \
	%D%/weak.h
