# The heap: values, pages, collector, containers. Needs libc only.
noinst_LTLIBRARIES += libheap.la
libheap_la_SOURCES = \
	%D%/ahead.c \
	%D%/cell.c \
	%D%/census.c \
	%D%/census.h \
	%D%/compact.c \
	%D%/drop.c \
	%D%/equal.c \
	%D%/equal.h \
	%D%/ext.c \
	%D%/external.c \
	%D%/external.h \
	%D%/external_block.c \
	%D%/gc.c \
	%D%/gc.h \
	%D%/gc_pace.c \
	%D%/gc_share.c \
	%D%/gc_share.h \
	%D%/hash.c \
	%D%/heap.c \
	%D%/heap.h \
	%D%/heap_int.h \
	%D%/intern.c \
	%D%/intern.h \
	%D%/list.c \
	%D%/list.h \
	%D%/list_int.h \
	%D%/list_leaf.c \
	%D%/list_tree.c \
	%D%/map.c \
	%D%/map.h \
	%D%/map_int.h \
	%D%/map_key.c \
	%D%/map_linear.c \
	%D%/map_merge.c \
	%D%/map_move.c \
	%D%/map_ordered.c \
	%D%/map_packed.c \
	%D%/map_packed.h \
	%D%/map_page.c \
	%D%/map_record.c \
	%D%/map_segmented.c \
	%D%/map_track.c \
	%D%/map_track.h \
	%D%/map_values.c \
	%D%/map_verify.c \
	%D%/number.c \
	%D%/number.h \
	%D%/object_set.c \
	%D%/object_set.h \
	%D%/oracle.c \
	%D%/oracle.h \
	%D%/page.c \
	%D%/plant.h \
	%D%/poison.c \
	%D%/query.h \
	%D%/query_accumulate.c \
	%D%/query_agg.c \
	%D%/query_approximate.c \
	%D%/query_compile.c \
	%D%/query_eval.c \
	%D%/query_explain.c \
	%D%/query_finish.c \
	%D%/query_group.c \
	%D%/query_hash.c \
	%D%/query_index.c \
	%D%/query_index.h \
	%D%/query_index_plan.c \
	%D%/query_int.h \
	%D%/query_literal.c \
	%D%/query_math.c \
	%D%/query_memory.c \
	%D%/query_part.c \
	%D%/query_rows.c \
	%D%/query_rows.h \
	%D%/query_scan.c \
	%D%/query_search.c \
	%D%/query_sort.c \
	%D%/query_spec.c \
	%D%/query_test.c \
	%D%/rope.c \
	%D%/set.c \
	%D%/set.h \
	%D%/shape.c \
	%D%/shape.h \
	%D%/sorted_int.h \
	%D%/sorted_leaf.c \
	%D%/sorted_set.c \
	%D%/sorted_set.h \
	%D%/sorted_tree.c \
	%D%/store.h \
	%D%/sweep.c \
	%D%/table.c \
	%D%/table.h \
	%D%/table_append.c \
	%D%/table_arrow.h \
	%D%/table_arrow_append.c \
	%D%/table_arrow_batch.c \
	%D%/table_arrow_int.h \
	%D%/table_arrow_message.c \
	%D%/table_arrow_message.h \
	%D%/table_arrow_read.c \
	%D%/table_arrow_schema.c \
	%D%/table_arrow_write.c \
	%D%/table_batch.c \
	%D%/table_batch.h \
	%D%/table_cell.c \
	%D%/table_change.c \
	%D%/table_codes.c \
	%D%/table_column.c \
	%D%/table_compact.c \
	%D%/table_alter.c \
	%D%/table_alter.h \
	%D%/table_convert.c \
	%D%/table_renew.c \
	%D%/table_renew.h \
	%D%/table_draft.c \
	%D%/table_draft.h \
	%D%/table_update.c \
	%D%/table_csv.h \
	%D%/table_csv_read.c \
	%D%/table_csv_write.c \
	%D%/table_decode.c \
	%D%/table_digits.c \
	%D%/table_digits.h \
	%D%/table_encode.c \
	%D%/table_export.c \
	%D%/table_export.h \
	%D%/table_export_int.h \
	%D%/table_flat.c \
	%D%/table_flat.h \
	%D%/table_fork.c \
	%D%/table_infer.c \
	%D%/table_index.c \
	%D%/table_index.h \
	%D%/table_index_build.c \
	%D%/table_index_int.h \
	%D%/table_int.h \
	%D%/table_kernels.h \
	%D%/table_key.h \
	%D%/table_levels.c \
	%D%/table_npy.c \
	%D%/table_npy.h \
	%D%/table_npy_write.c \
	%D%/table_out.c \
	%D%/table_out.h \
	%D%/table_parse.c \
	%D%/table_read.c \
	%D%/table_seal.c \
	%D%/table_select.c \
	%D%/table_stats.c \
	%D%/table_symbols.c \
	%D%/table_version.c \
	%D%/text.c \
	%D%/text.h \
	%D%/text_builder.c \
	%D%/text_int.h \
	%D%/traversal.c \
	%D%/traversal.h \
	%D%/trim.c \
	%D%/utf8.c \
	%D%/value.c \
	%D%/value.h \
	%D%/verify.c \
	%D%/verify.h \
	%D%/walk.c \
	%D%/weak.c \
	%D%/weak.h

# The kernels of tables, once per level of the CPU (heap/table_kernels.h).
KERNEL_CFLAGS = $(AM_CFLAGS) -O3 -ffp-contract=off
libheap_la_LIBADD = libkernels.la -lm
noinst_LTLIBRARIES += libkernels.la
libkernels_la_SOURCES = %D%/table_kernels.c
libkernels_la_CFLAGS = $(KERNEL_CFLAGS) -DKERNEL_SUFFIX=generic -DKERNEL_ID=KERNEL_GENERIC
if X86_LEVELS
libheap_la_LIBADD += libkernels_v3.la libkernels_v4.la
noinst_LTLIBRARIES += libkernels_v3.la libkernels_v4.la
libkernels_v3_la_SOURCES = %D%/table_kernels.c
libkernels_v3_la_CFLAGS = $(KERNEL_CFLAGS) -march=x86-64-v3 \
	-DKERNEL_SUFFIX=v3 -DKERNEL_ID=KERNEL_V3
libkernels_v4_la_SOURCES = %D%/table_kernels.c
libkernels_v4_la_CFLAGS = $(KERNEL_CFLAGS) -march=x86-64-v4 -mprefer-vector-width=512 \
	-DKERNEL_SUFFIX=v4 -DKERNEL_ID=KERNEL_V4
endif
