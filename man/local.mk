# The files of man/; see Makefile.am for the lists.
dist_man_MANS += \
	%D%/cairn-bench.1 \
	%D%/cairn-cli.1 \
	%D%/cairn-server.1 \
	%D%/cairn-server.conf.5
