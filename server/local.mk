# The server: the loop and its sessions, and the methods.
noinst_LTLIBRARIES += libserver.la
libserver_la_SOURCES = \
	%D%/build.c \
	%D%/build.h \
	%D%/build_int.h \
	%D%/build_set.c \
	%D%/call.c \
	%D%/call.h \
	%D%/clock.h \
	%D%/errors.h \
	%D%/evict.c \
	%D%/expiry.c \
	%D%/expiry.h \
	%D%/glob.c \
	%D%/glob.h \
	%D%/json_text.c \
	%D%/json_text.h \
	%D%/keys.c \
	%D%/keys.h \
	%D%/listener.c \
	%D%/log.c \
	%D%/log.h \
	%D%/method_list.h \
	%D%/methods.c \
	%D%/methods_gc.c \
	%D%/methods_keys.c \
	%D%/methods_lists.c \
	%D%/methods_maps.c \
	%D%/methods_mem.c \
	%D%/methods_refs.c \
	%D%/methods_server.c \
	%D%/methods_session.c \
	%D%/methods_sets.c \
	%D%/methods_sorted.c \
	%D%/methods_table.c \
	%D%/methods_table_alter.c \
	%D%/methods_table_append.c \
	%D%/methods_table_change.c \
	%D%/methods_table_export.c \
	%D%/methods_table_from.c \
	%D%/methods_table_import.c \
	%D%/methods_table_index.c \
	%D%/methods_table_query.c \
	%D%/methods_table_to.c \
	%D%/methods_values.c \
	%D%/packed_rows.c \
	%D%/packed_rows.h \
	%D%/params.c \
	%D%/params.h \
	%D%/path.c \
	%D%/path.h \
	%D%/quote.c \
	%D%/refs.c \
	%D%/refs.h \
	%D%/reply.c \
	%D%/reply.h \
	%D%/reply_parts.c \
	%D%/reply_parts.h \
	%D%/server.c \
	%D%/server.h \
	%D%/session.c \
	%D%/session.h \
	%D%/session_peer.c \
	%D%/session_read.c \
	%D%/session_write.c \
	%D%/settings.c \
	%D%/settings.h \
	%D%/table_cursor.c \
	%D%/table_cursor.h \
	%D%/table_csv_form.c \
	%D%/table_csv_form.h \
	%D%/table_import.c \
	%D%/table_import.h \
	%D%/table_json.c \
	%D%/table_json.h \
	%D%/table_path.c \
	%D%/table_query.h \
	%D%/table_reply.c \
	%D%/table_schema.h \
	%D%/table_value.h \
	%D%/tasks.c \
	%D%/tasks.h \
	%D%/watch.c \
	%D%/watch.h
libserver_la_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS) $(INIH_CFLAGS) $(YAJL_CFLAGS)
libserver_la_LIBADD = $(YAJL_LIBS)

bin_PROGRAMS += cairn-server
cairn_server_SOURCES = %D%/main.c
cairn_server_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
cairn_server_LDADD = libserver.la libprotocol.la libheap.la $(UV_LIBS) $(INIH_LIBS)

# Writes docs/methods.md from the list of methods; tests/integration/methods_doc.sh compares.
noinst_PROGRAMS += gen_methods
gen_methods_SOURCES = %D%/gen_methods.c
