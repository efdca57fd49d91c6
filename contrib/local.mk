# The files of contrib/; see Makefile.am for the lists.
EXTRA_DIST += \
	%D%/cairn.conf \
	%D%/cairn.service \
	%D%/dumpavail2jsonl \
	%D%/packages.sh
