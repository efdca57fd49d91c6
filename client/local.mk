# The clients: libcairn and cairn-cli.
lib_LTLIBRARIES += libcairn.la
include_HEADERS += %D%/cairn.h
pkgconfig_DATA += %D%/cairn.pc
libcairn_la_SOURCES = \
	%D%/args.c \
	%D%/cairn.h \
	%D%/cairn_int.h \
	%D%/call.c \
	%D%/connection.c \
	%D%/reply.c
libcairn_la_LIBADD = libprotocol.la
libcairn_la_LDFLAGS = $(AM_LDFLAGS) -no-undefined -version-info 0:0:0

# All of cairn-cli but its main, so that tests can link it.
noinst_LTLIBRARIES += libcli.la
libcli_la_SOURCES = \
	%D%/cli.h \
	%D%/cli_clauses.c \
	%D%/cli_clauses.h \
	%D%/cli_date.c \
	%D%/cli_date.h \
	%D%/cli_export.c \
	%D%/cli_fields.c \
	%D%/cli_file.c \
	%D%/cli_file.h \
	%D%/cli_filter.c \
	%D%/cli_filter.h \
	%D%/cli_filter_build.c \
	%D%/cli_filter_emit.c \
	%D%/cli_filter_int.h \
	%D%/cli_grid.c \
	%D%/cli_grid.h \
	%D%/cli_import.c \
	%D%/cli_interactive.c \
	%D%/cli_json.h \
	%D%/cli_json_lines.c \
	%D%/cli_json_lines.h \
	%D%/cli_json_parse.c \
	%D%/cli_json_print.c \
	%D%/cli_key.c \
	%D%/cli_key.h \
	%D%/cli_lexer.c \
	%D%/cli_lexer.h \
	%D%/cli_loader.c \
	%D%/cli_loader.h \
	%D%/cli_methods.c \
	%D%/cli_methods.h \
	%D%/cli_options.c \
	%D%/cli_params.c \
	%D%/cli_params.h \
	%D%/cli_path.c \
	%D%/cli_path.h \
	%D%/cli_progress.c \
	%D%/cli_progress.h \
	%D%/cli_records.c \
	%D%/cli_records.h \
	%D%/cli_run.c \
	%D%/cli_stop.c \
	%D%/cli_stop.h \
	%D%/cli_table.c \
	%D%/cli_table.h \
	%D%/cli_table_describe.c \
	%D%/cli_table_format.c \
	%D%/cli_table_format.h \
	%D%/cli_table_list.c \
	%D%/cli_table_load.c \
	%D%/cli_table_query.c \
	%D%/cli_table_save.c \
	%D%/cli_text.c \
	%D%/cli_text.h \
	%D%/cli_views.c \
	%D%/cli_words.c \
	%D%/cli_words.h
libcli_la_CFLAGS = $(AM_CFLAGS) $(YAJL_CFLAGS) $(EDIT_CFLAGS)
libcli_la_LIBADD = libcairn.la $(YAJL_LIBS) $(EDIT_LIBS)

bin_PROGRAMS += cairn-cli
cairn_cli_SOURCES = %D%/cli_main.c
cairn_cli_LDADD = libcli.la libcairn.la
