# The protocol: MessagePack-RPC, bytes in, calls out. Needs libc and msgpack-c.
noinst_LTLIBRARIES += libprotocol.la
libprotocol_la_SOURCES = \
	%D%/decoder.c \
	%D%/decoder.h \
	%D%/rpc.c \
	%D%/rpc.h \
	%D%/writer.c \
	%D%/writer.h
libprotocol_la_CFLAGS = $(AM_CFLAGS) $(MSGPACK_CFLAGS)
libprotocol_la_LIBADD = $(MSGPACK_LIBS)
