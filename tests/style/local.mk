# Checks of the sources themselves.
style_tests = \
	%D%/layers.sh
TESTS += $(style_tests)
EXTRA_DIST += $(style_tests)
