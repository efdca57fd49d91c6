# The server: the loop and its sessions, and the methods.
noinst_LTLIBRARIES += libserver.la
libserver_la_SOURCES = \
	%D%/build.h \
	%D%/call.h \
	%D%/errors.h \
	%D%/listener.c \
	%D%/log.c \
	%D%/log.h \
	%D%/refs.h \
	%D%/server.c \
	%D%/server.h \
	%D%/session.c \
	%D%/session.h \
	%D%/session_read.c \
	%D%/session_write.c \
	%D%/settings.c \
	%D%/settings.h \
	%D%/tasks.c \
	%D%/tasks.h
libserver_la_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS) $(INIH_CFLAGS)
