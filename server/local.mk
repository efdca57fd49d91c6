# The files of server/; see Makefile.am for the lists.
EXTRA_DIST += \
	%D%/build.h \
	%D%/call.h \
	%D%/errors.h \
	%D%/refs.h
