# Checks of the sources themselves.
style_tests = \
	%D%/documents.sh \
	%D%/layers.sh
TESTS += $(style_tests)
EXTRA_DIST += $(style_tests)
