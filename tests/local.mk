# The tests. What every test finds in its environment:
AM_TESTS_ENVIRONMENT = CK_FORK=no; export CK_FORK; \
	CAIRN_SOURCE='$(abs_top_srcdir)'; export CAIRN_SOURCE; \
	CAIRN_BUILD='$(abs_top_builddir)'; export CAIRN_BUILD;

EXTRA_DIST += %D%/data/msgpack-vectors.json

# Each program in `unit_tests`, below, is one Check suite with its main in
# tests/support/runner.c; it reports through TAP.
if HAVE_CHECK
check_LTLIBRARIES += libtestsupport.la
libtestsupport_la_SOURCES = \
	%D%/support/expect.h \
	%D%/support/heap_fixture.c \
	%D%/support/heap_fixture.h \
	%D%/support/heap_literal.c \
	%D%/support/heap_literal.h \
	%D%/support/map_model.c \
	%D%/support/map_model.h \
	%D%/support/nodes.h \
	%D%/support/random.h \
	%D%/support/runner.c \
	%D%/support/runner.h \
	%D%/support/scale.h \
	%D%/support/seeds.c \
	%D%/support/seeds.h \
	%D%/support/trace.c \
	%D%/support/trace.h
libtestsupport_la_CFLAGS = $(TEST_CFLAGS)

TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
HEAP_TEST_LIBS = libtestsupport.la libheap.la $(CHECK_LIBS)
PROTOCOL_TEST_LIBS = libtestsupport.la libprotocol.la $(CHECK_LIBS)
PROTOCOL_TEST_CFLAGS = $(TEST_CFLAGS) $(MSGPACK_CFLAGS)
CLIENT_TEST_LIBS = libtestsupport.la libcairn.la $(CHECK_LIBS)

# A session in memory, for the tests of server/ that need no sockets.
check_LTLIBRARIES += libsessiontest.la
libsessiontest_la_SOURCES = \
	%D%/support/arrow_sample.c \
	%D%/support/arrow_sample.h \
	%D%/support/ask.c \
	%D%/support/ask.h \
	%D%/support/export_all.c \
	%D%/support/export_all.h \
	%D%/support/fault_check.c \
	%D%/support/fault_check.h \
	%D%/support/in_process.c \
	%D%/support/in_process.h \
	%D%/support/literal.c \
	%D%/support/literal.h \
	%D%/support/method_cases.c \
	%D%/support/method_cases.h \
	%D%/support/steady_clock.c
libsessiontest_la_CFLAGS = $(TEST_CFLAGS)
SESSION_TEST_LIBS = libsessiontest.la libserver.la libprotocol.la $(HEAP_TEST_LIBS)
# Their steps are as long on any machine: support/steady_clock.c.
SESSION_TEST_WRAP = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime -Wl,-u,__wrap_clock_gettime

# Random programs for as long as asked, with seeds that no run has seen: make soak HOURS=8. They run
# in the stress build, which is made in the directory soak if this is another one. Fuzzers of this
# build, if it has any, run between them.
HOURS = 1
soak_tests = model_heap unit_build unit_change_model unit_decoder_rows unit_heap unit_keys \
	unit_list unit_map unit_map_model unit_methods unit_methods_more unit_packed_rows \
	unit_path unit_query_index unit_query_model unit_reply unit_table_fork unit_table_model \
	unit_text unit_text_cell
soak_fuzzers =
if FUZZ
soak_fuzzers += fuzz_arrow fuzz_calls fuzz_csv fuzz_decoder fuzz_filter fuzz_json fuzz_query \
	fuzz_session
endif
if GC_STRESS
SOAK_ALSO =
soak: $(soak_tests) $(soak_fuzzers)
	$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/%D%/soak.sh $(HOURS) $(soak_tests:%=./%) \
	    $(soak_fuzzers:%=./%) $(SOAK_ALSO)
else
soak: $(soak_fuzzers)
	$(MKDIR_P) soak
	cd soak && { test -e Makefile || \
	    $(SHELL) $(abs_top_srcdir)/configure -q --enable-debug --enable-gc-stress; }
	cd soak && $(MAKE) $(AM_MAKEFLAGS) soak HOURS=$(HOURS) \
	    SOAK_ALSO='$(soak_fuzzers:%=$(abs_builddir)/%)'
endif
EXTRA_DIST += %D%/soak.sh

# Keep both sorted: the list, and three lines for each program.
unit_tests = \
	model_heap unit_barriers unit_build unit_change_model unit_cli_filter unit_cli_grid \
	unit_cli_json unit_cli_path unit_cli_records unit_cli_words unit_compact unit_decoder \
	unit_decoder_rows unit_equal unit_evict unit_expiry unit_external_block \
	unit_fragmentation unit_gc_share unit_glob unit_heap unit_histogram unit_intern \
	unit_keys unit_libcairn unit_list unit_log unit_map unit_map_model unit_map_packed \
	unit_map_track unit_methods unit_methods_answers unit_methods_cells unit_methods_change \
	unit_methods_faults unit_methods_full unit_methods_hostile unit_methods_import \
	unit_methods_index unit_methods_infer unit_methods_malloc unit_methods_more \
	unit_methods_sets unit_methods_symbols unit_methods_table unit_methods_table_convert \
	unit_methods_table_export unit_methods_turns unit_methods_types unit_number \
	unit_packed_rows unit_path unit_pins unit_query unit_query_bounds unit_query_index \
	unit_query_lists unit_query_model unit_reply unit_rpc unit_set unit_settings unit_shape \
	unit_sorted_set unit_table unit_table_arrow unit_table_arrow_bounds unit_table_csv \
	unit_table_digits unit_table_drop unit_table_encode unit_table_fork unit_table_index \
	unit_table_json unit_table_kernels unit_table_model unit_table_texts unit_table_versions \
	unit_tasks unit_text unit_text_cell unit_torture unit_utf8 unit_value unit_workload \
	unit_writer
if DEBUG_BUILD
unit_tests += unit_oracle
endif
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)

model_heap_SOURCES = \
	%D%/model/model.c \
	%D%/model/model.h \
	%D%/model/test_model.c
model_heap_CFLAGS = $(TEST_CFLAGS)
model_heap_LDADD = $(HEAP_TEST_LIBS)

unit_barriers_SOURCES = %D%/unit/test_barriers.c
unit_barriers_CFLAGS = $(TEST_CFLAGS)
unit_barriers_LDADD = $(HEAP_TEST_LIBS)

unit_build_SOURCES = %D%/unit/test_build.c
unit_build_CFLAGS = $(TEST_CFLAGS)
unit_build_LDADD = $(SESSION_TEST_LIBS)
unit_build_LDFLAGS = $(SESSION_TEST_WRAP)

unit_change_model_SOURCES = %D%/unit/test_change_model.c
unit_change_model_CFLAGS = $(TEST_CFLAGS)
unit_change_model_LDADD = $(SESSION_TEST_LIBS)
unit_change_model_LDFLAGS = $(SESSION_TEST_WRAP)

unit_cli_filter_SOURCES = %D%/unit/test_cli_filter.c
unit_cli_filter_CFLAGS = $(TEST_CFLAGS)
unit_cli_filter_LDADD = libcli.la $(CLIENT_TEST_LIBS)

unit_cli_grid_SOURCES = %D%/unit/test_cli_grid.c
unit_cli_grid_CFLAGS = $(TEST_CFLAGS)
unit_cli_grid_LDADD = libcli.la $(CLIENT_TEST_LIBS)

unit_cli_json_SOURCES = %D%/unit/test_cli_json.c
unit_cli_json_CFLAGS = $(TEST_CFLAGS)
unit_cli_json_LDADD = libcli.la $(CLIENT_TEST_LIBS) -lm

unit_cli_path_SOURCES = %D%/unit/test_cli_path.c
unit_cli_path_CFLAGS = $(TEST_CFLAGS)
unit_cli_path_LDADD = libcli.la $(CLIENT_TEST_LIBS)

unit_cli_records_SOURCES = %D%/unit/test_cli_records.c
unit_cli_records_CFLAGS = $(TEST_CFLAGS)
unit_cli_records_LDADD = libcli.la $(CLIENT_TEST_LIBS)

unit_cli_words_SOURCES = %D%/unit/test_cli_words.c
unit_cli_words_CFLAGS = $(TEST_CFLAGS)
unit_cli_words_LDADD = libcli.la $(CLIENT_TEST_LIBS)

unit_compact_SOURCES = %D%/unit/test_compact.c
unit_compact_CFLAGS = $(TEST_CFLAGS)
unit_compact_LDADD = $(HEAP_TEST_LIBS)

unit_decoder_SOURCES = %D%/unit/test_decoder.c
unit_decoder_CFLAGS = $(PROTOCOL_TEST_CFLAGS) $(YAJL_CFLAGS)
unit_decoder_LDADD = $(PROTOCOL_TEST_LIBS) $(MSGPACK_LIBS) $(YAJL_LIBS)

unit_decoder_rows_SOURCES = %D%/unit/test_decoder_rows.c
unit_decoder_rows_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
unit_decoder_rows_LDADD = $(PROTOCOL_TEST_LIBS)

unit_equal_SOURCES = %D%/unit/test_equal.c
unit_equal_CFLAGS = $(TEST_CFLAGS)
unit_equal_LDADD = $(HEAP_TEST_LIBS)

unit_evict_SOURCES = %D%/unit/test_evict.c
unit_evict_CFLAGS = $(TEST_CFLAGS)
unit_evict_LDADD = $(SESSION_TEST_LIBS)
unit_evict_LDFLAGS = $(SESSION_TEST_WRAP)

unit_expiry_SOURCES = %D%/unit/test_expiry.c
unit_expiry_CFLAGS = $(TEST_CFLAGS)
unit_expiry_LDADD = libserver.la $(UV_LIBS) $(HEAP_TEST_LIBS)

unit_fragmentation_SOURCES = %D%/unit/test_fragmentation.c
unit_fragmentation_CFLAGS = $(TEST_CFLAGS)
unit_fragmentation_LDADD = $(HEAP_TEST_LIBS)

unit_gc_share_SOURCES = %D%/unit/test_gc_share.c
unit_gc_share_CFLAGS = $(TEST_CFLAGS)
unit_gc_share_LDADD = $(HEAP_TEST_LIBS)

unit_glob_SOURCES = %D%/unit/test_glob.c
unit_glob_CFLAGS = $(TEST_CFLAGS)
unit_glob_LDADD = libserver.la $(HEAP_TEST_LIBS)

unit_heap_SOURCES = %D%/unit/test_heap.c
unit_heap_CFLAGS = $(TEST_CFLAGS)
unit_heap_LDADD = $(HEAP_TEST_LIBS)

unit_histogram_SOURCES = %D%/unit/test_histogram.c
unit_histogram_CFLAGS = $(TEST_CFLAGS)
unit_histogram_LDADD = libbench.la libtestsupport.la $(CHECK_LIBS) -lm

unit_intern_SOURCES = %D%/unit/test_intern.c
unit_intern_CFLAGS = $(TEST_CFLAGS)
unit_intern_LDADD = $(HEAP_TEST_LIBS)

unit_keys_SOURCES = %D%/unit/test_keys.c
unit_keys_CFLAGS = $(TEST_CFLAGS)
unit_keys_LDADD = $(SESSION_TEST_LIBS)
unit_keys_LDFLAGS = $(SESSION_TEST_WRAP)

unit_libcairn_SOURCES = %D%/unit/test_libcairn.c
unit_libcairn_CFLAGS = $(TEST_CFLAGS)
unit_libcairn_LDADD = $(CLIENT_TEST_LIBS) -lpthread

unit_list_SOURCES = %D%/unit/test_list.c
unit_list_CFLAGS = $(TEST_CFLAGS)
unit_list_LDADD = $(HEAP_TEST_LIBS)

unit_log_SOURCES = %D%/unit/test_log.c
unit_log_CFLAGS = $(TEST_CFLAGS)
unit_log_LDADD = libserver.la $(HEAP_TEST_LIBS)

unit_map_SOURCES = %D%/unit/test_map.c
unit_map_CFLAGS = $(TEST_CFLAGS)
unit_map_LDADD = $(HEAP_TEST_LIBS)

unit_map_model_SOURCES = %D%/unit/test_map_model.c
unit_map_model_CFLAGS = $(TEST_CFLAGS)
unit_map_model_LDADD = $(HEAP_TEST_LIBS)

unit_map_packed_SOURCES = %D%/unit/test_map_packed.c
unit_map_packed_CFLAGS = $(TEST_CFLAGS)
unit_map_packed_LDADD = $(HEAP_TEST_LIBS)

unit_map_track_SOURCES = %D%/unit/test_map_track.c
unit_map_track_CFLAGS = $(TEST_CFLAGS)
unit_map_track_LDADD = $(HEAP_TEST_LIBS)

unit_methods_SOURCES = %D%/unit/test_methods.c
unit_methods_CFLAGS = $(TEST_CFLAGS)
unit_methods_LDADD = $(SESSION_TEST_LIBS)
unit_methods_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_answers_SOURCES = %D%/unit/test_methods_answers.c
unit_methods_answers_CFLAGS = $(TEST_CFLAGS)
unit_methods_answers_LDADD = $(SESSION_TEST_LIBS)
unit_methods_answers_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_cells_SOURCES = %D%/unit/test_methods_cells.c
unit_methods_cells_CFLAGS = $(TEST_CFLAGS)
unit_methods_cells_LDADD = $(SESSION_TEST_LIBS)
unit_methods_cells_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_change_SOURCES = %D%/unit/test_methods_change.c
unit_methods_change_CFLAGS = $(TEST_CFLAGS)
unit_methods_change_LDADD = $(SESSION_TEST_LIBS)
unit_methods_change_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_faults_SOURCES = %D%/unit/test_methods_faults.c
unit_methods_faults_CFLAGS = $(TEST_CFLAGS)
unit_methods_faults_LDADD = $(SESSION_TEST_LIBS)
unit_methods_faults_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_full_SOURCES = %D%/unit/test_methods_full.c
unit_methods_full_CFLAGS = $(TEST_CFLAGS)
unit_methods_full_LDADD = $(SESSION_TEST_LIBS)

unit_methods_hostile_SOURCES = %D%/unit/test_methods_hostile.c
unit_methods_hostile_CFLAGS = $(TEST_CFLAGS)
unit_methods_hostile_LDADD = $(SESSION_TEST_LIBS)
unit_methods_hostile_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_import_SOURCES = %D%/unit/test_methods_import.c
unit_methods_import_CFLAGS = $(TEST_CFLAGS)
unit_methods_import_LDADD = $(SESSION_TEST_LIBS)
unit_methods_import_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_infer_SOURCES = %D%/unit/test_methods_infer.c
unit_methods_infer_CFLAGS = $(TEST_CFLAGS)
unit_methods_infer_LDADD = $(SESSION_TEST_LIBS)
unit_methods_infer_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_types_SOURCES = %D%/unit/test_methods_types.c
unit_methods_types_CFLAGS = $(TEST_CFLAGS)
unit_methods_types_LDADD = $(SESSION_TEST_LIBS)

unit_methods_index_SOURCES = %D%/unit/test_methods_index.c
unit_methods_index_CFLAGS = $(TEST_CFLAGS)
unit_methods_index_LDADD = $(SESSION_TEST_LIBS)
unit_methods_index_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_malloc_SOURCES = %D%/unit/test_methods_malloc.c
unit_methods_malloc_CFLAGS = $(TEST_CFLAGS)
unit_methods_malloc_LDADD = $(SESSION_TEST_LIBS)
unit_methods_malloc_LDFLAGS = $(SESSION_TEST_WRAP) -Wl,--wrap=malloc -Wl,--wrap=calloc \
	-Wl,--wrap=realloc -Wl,--wrap=heap_shadow_mark -Wl,--wrap=oracle_begin

unit_methods_more_SOURCES = %D%/unit/test_methods_more.c
unit_methods_more_CFLAGS = $(TEST_CFLAGS)
unit_methods_more_LDADD = $(SESSION_TEST_LIBS)
unit_methods_more_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_sets_SOURCES = %D%/unit/test_methods_sets.c
unit_methods_sets_CFLAGS = $(TEST_CFLAGS)
unit_methods_sets_LDADD = $(SESSION_TEST_LIBS)
unit_methods_sets_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_symbols_SOURCES = %D%/unit/test_methods_symbols.c
unit_methods_symbols_CFLAGS = $(TEST_CFLAGS)
unit_methods_symbols_LDADD = $(SESSION_TEST_LIBS)
unit_methods_symbols_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_table_SOURCES = %D%/unit/test_methods_table.c
unit_methods_table_CFLAGS = $(TEST_CFLAGS)
unit_methods_table_LDADD = $(SESSION_TEST_LIBS)
unit_methods_table_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_table_convert_SOURCES = %D%/unit/test_methods_table_convert.c
unit_methods_table_convert_CFLAGS = $(TEST_CFLAGS)
unit_methods_table_convert_LDADD = $(SESSION_TEST_LIBS)

unit_methods_table_export_SOURCES = %D%/unit/test_methods_table_export.c
unit_methods_table_export_CFLAGS = $(TEST_CFLAGS)
unit_methods_table_export_LDADD = $(SESSION_TEST_LIBS)
unit_methods_table_export_LDFLAGS = $(SESSION_TEST_WRAP)

unit_methods_turns_SOURCES = %D%/unit/test_methods_turns.c
unit_methods_turns_CFLAGS = $(TEST_CFLAGS)
unit_methods_turns_LDADD = $(SESSION_TEST_LIBS)

unit_number_SOURCES = %D%/unit/test_number.c
unit_number_CFLAGS = $(TEST_CFLAGS)
unit_number_LDADD = $(HEAP_TEST_LIBS)

unit_oracle_SOURCES = %D%/unit/test_oracle.c
unit_oracle_CFLAGS = $(TEST_CFLAGS)
unit_oracle_LDADD = $(HEAP_TEST_LIBS)

unit_packed_rows_SOURCES = %D%/unit/test_packed_rows.c
unit_packed_rows_CFLAGS = $(TEST_CFLAGS)
unit_packed_rows_LDADD = $(SESSION_TEST_LIBS)
unit_packed_rows_LDFLAGS = $(SESSION_TEST_WRAP)

unit_path_SOURCES = %D%/unit/test_path.c
unit_path_CFLAGS = $(TEST_CFLAGS)
unit_path_LDADD = $(SESSION_TEST_LIBS)
unit_path_LDFLAGS = $(SESSION_TEST_WRAP)

unit_pins_SOURCES = %D%/unit/test_pins.c
unit_pins_CFLAGS = $(TEST_CFLAGS)
unit_pins_LDADD = $(SESSION_TEST_LIBS)
unit_pins_LDFLAGS = $(SESSION_TEST_WRAP)

unit_query_SOURCES = %D%/unit/test_query.c
unit_query_CFLAGS = $(TEST_CFLAGS)
unit_query_LDADD = $(HEAP_TEST_LIBS) -lm

unit_query_bounds_SOURCES = %D%/unit/test_query_bounds.c
unit_query_bounds_CFLAGS = $(TEST_CFLAGS)
unit_query_bounds_LDADD = $(HEAP_TEST_LIBS) -lm

unit_query_index_SOURCES = \
	%D%/support/query_rows.h \
	%D%/support/query_world.c \
	%D%/support/query_world.h \
	%D%/unit/test_query_index.c
unit_query_index_CFLAGS = $(TEST_CFLAGS)
unit_query_index_LDADD = $(HEAP_TEST_LIBS) -lm

unit_query_lists_SOURCES = %D%/unit/test_query_lists.c
unit_query_lists_CFLAGS = $(TEST_CFLAGS)
unit_query_lists_LDADD = $(HEAP_TEST_LIBS) -lm

unit_query_model_SOURCES = \
	%D%/support/query_rows.c \
	%D%/support/query_rows.h \
	%D%/support/query_world.c \
	%D%/support/query_world.h \
	%D%/unit/test_query_model.c
unit_query_model_CFLAGS = $(TEST_CFLAGS)
unit_query_model_LDADD = $(HEAP_TEST_LIBS) -lm

unit_reply_SOURCES = %D%/unit/test_reply.c
unit_reply_CFLAGS = $(TEST_CFLAGS)
unit_reply_LDADD = $(SESSION_TEST_LIBS)
unit_reply_LDFLAGS = $(SESSION_TEST_WRAP)

unit_rpc_SOURCES = %D%/unit/test_rpc.c
unit_rpc_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
unit_rpc_LDADD = $(PROTOCOL_TEST_LIBS)

unit_set_SOURCES = %D%/unit/test_set.c
unit_set_CFLAGS = $(TEST_CFLAGS)
unit_set_LDADD = $(HEAP_TEST_LIBS)

unit_settings_SOURCES = %D%/unit/test_settings.c
unit_settings_CFLAGS = $(TEST_CFLAGS)
unit_settings_LDADD = libserver.la $(INIH_LIBS) $(HEAP_TEST_LIBS)

unit_shape_SOURCES = %D%/unit/test_shape.c
unit_shape_CFLAGS = $(TEST_CFLAGS)
unit_shape_LDADD = $(HEAP_TEST_LIBS)

unit_sorted_set_SOURCES = %D%/unit/test_sorted_set.c
unit_sorted_set_CFLAGS = $(TEST_CFLAGS)
unit_sorted_set_LDADD = $(HEAP_TEST_LIBS)

unit_table_SOURCES = %D%/unit/test_table.c
unit_table_CFLAGS = $(TEST_CFLAGS)
unit_table_LDADD = $(HEAP_TEST_LIBS) -lm

unit_table_arrow_SOURCES = \
	%D%/support/export_all.c \
	%D%/support/export_all.h \
	%D%/unit/test_table_arrow.c
unit_table_arrow_CFLAGS = $(TEST_CFLAGS)
unit_table_arrow_LDADD = $(HEAP_TEST_LIBS) -lm
unit_table_arrow_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc

unit_table_arrow_bounds_SOURCES = \
	%D%/support/export_all.c \
	%D%/support/export_all.h \
	%D%/unit/test_table_arrow_bounds.c
unit_table_arrow_bounds_CFLAGS = $(TEST_CFLAGS)
unit_table_arrow_bounds_LDADD = $(HEAP_TEST_LIBS) -lm

unit_table_csv_SOURCES = \
	%D%/support/export_all.c \
	%D%/support/export_all.h \
	%D%/unit/test_table_csv.c
unit_table_csv_CFLAGS = $(TEST_CFLAGS)
unit_table_csv_LDADD = $(HEAP_TEST_LIBS) -lm

unit_table_digits_SOURCES = %D%/unit/test_table_digits.c
unit_table_digits_CFLAGS = $(TEST_CFLAGS)
unit_table_digits_LDADD = $(HEAP_TEST_LIBS) -lm

unit_table_drop_SOURCES = %D%/unit/test_table_drop.c
unit_table_drop_CFLAGS = $(TEST_CFLAGS)
unit_table_drop_LDADD = $(HEAP_TEST_LIBS)

unit_table_encode_SOURCES = %D%/unit/test_table_encode.c
unit_table_encode_CFLAGS = $(TEST_CFLAGS)
unit_table_encode_LDADD = $(HEAP_TEST_LIBS) -lm

unit_table_fork_SOURCES = %D%/unit/test_table_fork.c
unit_table_fork_CFLAGS = $(TEST_CFLAGS)
unit_table_fork_LDADD = $(HEAP_TEST_LIBS)

unit_table_index_SOURCES = %D%/unit/test_table_index.c
unit_table_index_CFLAGS = $(TEST_CFLAGS)
unit_table_index_LDADD = $(HEAP_TEST_LIBS) -lm

unit_table_json_SOURCES = %D%/unit/test_table_json.c
unit_table_json_CFLAGS = $(TEST_CFLAGS)
unit_table_json_LDADD = $(SESSION_TEST_LIBS)
unit_table_json_LDFLAGS = $(SESSION_TEST_WRAP)

unit_table_kernels_SOURCES = %D%/unit/test_table_kernels.c
unit_table_kernels_CFLAGS = $(TEST_CFLAGS)
unit_table_kernels_LDADD = $(HEAP_TEST_LIBS) -lm

unit_table_model_SOURCES = %D%/unit/test_table_model.c
unit_table_model_CFLAGS = $(TEST_CFLAGS)
unit_table_model_LDADD = $(HEAP_TEST_LIBS) -lm

unit_external_block_SOURCES = %D%/unit/test_external_block.c
unit_external_block_CFLAGS = $(TEST_CFLAGS)
unit_external_block_LDADD = $(HEAP_TEST_LIBS)

unit_table_texts_SOURCES = %D%/unit/test_table_texts.c
unit_table_texts_CFLAGS = $(TEST_CFLAGS)
unit_table_texts_LDADD = $(HEAP_TEST_LIBS)

unit_table_versions_SOURCES = %D%/unit/test_table_versions.c
unit_table_versions_CFLAGS = $(TEST_CFLAGS)
unit_table_versions_LDADD = $(HEAP_TEST_LIBS)

unit_tasks_SOURCES = %D%/unit/test_tasks.c
unit_tasks_CFLAGS = $(TEST_CFLAGS)
unit_tasks_LDADD = libserver.la $(UV_LIBS) $(HEAP_TEST_LIBS)

unit_text_SOURCES = %D%/unit/test_text.c
unit_text_CFLAGS = $(TEST_CFLAGS)
unit_text_LDADD = $(HEAP_TEST_LIBS)

unit_text_cell_SOURCES = %D%/unit/test_text_cell.c
unit_text_cell_CFLAGS = $(TEST_CFLAGS)
unit_text_cell_LDADD = $(HEAP_TEST_LIBS)

unit_torture_SOURCES = %D%/unit/test_torture.c
unit_torture_CFLAGS = $(TEST_CFLAGS)
unit_torture_LDADD = $(HEAP_TEST_LIBS)

unit_utf8_SOURCES = %D%/unit/test_utf8.c
unit_utf8_CFLAGS = $(TEST_CFLAGS)
unit_utf8_LDADD = $(HEAP_TEST_LIBS)

unit_value_SOURCES = %D%/unit/test_value.c
unit_value_CFLAGS = $(TEST_CFLAGS)
unit_value_LDADD = $(HEAP_TEST_LIBS)

unit_workload_SOURCES = %D%/unit/test_workload.c
unit_workload_CFLAGS = $(TEST_CFLAGS)
unit_workload_LDADD = libbench.la libtestsupport.la $(CHECK_LIBS) -lm

unit_writer_SOURCES = %D%/unit/test_writer.c
unit_writer_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
unit_writer_LDADD = $(PROTOCOL_TEST_LIBS)

# Compiles the heap once for every planted bug: only where nothing else slows it down.
dist_check_SCRIPTS = %D%/plants.sh
EXTRA_DIST += %D%/plants.md
if !SANITIZE
if !GC_STRESS
TESTS += %D%/plants.sh
endif
endif
endif
