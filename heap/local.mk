# The heap: values, pages, collector, containers. Needs libc only.
noinst_LTLIBRARIES += libheap.la
libheap_la_SOURCES = \
	%D%/cell.c \
	%D%/census.c \
	%D%/census.h \
	%D%/drop.c \
	%D%/equal.h \
	%D%/ext.c \
	%D%/gc.c \
	%D%/gc.h \
	%D%/gc_pace.c \
	%D%/hash.c \
	%D%/heap.c \
	%D%/heap.h \
	%D%/heap_int.h \
	%D%/list.c \
	%D%/list.h \
	%D%/list_int.h \
	%D%/list_leaf.c \
	%D%/list_tree.c \
	%D%/map.h \
	%D%/number.c \
	%D%/number.h \
	%D%/page.c \
	%D%/poison.c \
	%D%/rope.c \
	%D%/shape.c \
	%D%/store.h \
	%D%/sweep.c \
	%D%/text.c \
	%D%/text.h \
	%D%/text_builder.c \
	%D%/text_int.h \
	%D%/utf8.c \
	%D%/trim.c \
	%D%/value.c \
	%D%/value.h \
	%D%/verify.c \
	%D%/verify.h \
	%D%/walk.c \
	%D%/weak.c \
	%D%/weak.h
