# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of config/: they link $(LINK_CONFIG), so nothing above it.

config_test_support = tests/unit/config/support.c tests/unit/config/support.h
config_test_libs = $(LINK_CONFIG) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/config/load/test_access
tests_unit_config_load_test_access_SOURCES = \
	tests/unit/config/load/test_access.c $(config_test_support)
tests_unit_config_load_test_access_LDADD = $(config_test_libs)
TESTS += tests/unit/config/load/test_access

check_PROGRAMS += tests/unit/config/load/test_validate_tls
tests_unit_config_load_test_validate_tls_SOURCES = \
	tests/unit/config/load/test_validate_tls.c $(config_test_support)
tests_unit_config_load_test_validate_tls_LDADD = $(config_test_libs)
TESTS += tests/unit/config/load/test_validate_tls

check_PROGRAMS += tests/unit/config/load/test_limits
tests_unit_config_load_test_limits_SOURCES = \
	tests/unit/config/load/test_limits.c $(config_test_support)
tests_unit_config_load_test_limits_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSAMPLES='"$(abs_top_srcdir)/config/samples"'
tests_unit_config_load_test_limits_LDADD = $(config_test_libs)
TESTS += tests/unit/config/load/test_limits

check_PROGRAMS += tests/unit/config/load/test_lists
tests_unit_config_load_test_lists_SOURCES = \
	tests/unit/config/load/test_lists.c $(config_test_support)
tests_unit_config_load_test_lists_LDADD = $(config_test_libs)
TESTS += tests/unit/config/load/test_lists

check_PROGRAMS += tests/unit/config/load/test_load
tests_unit_config_load_test_load_SOURCES = tests/unit/config/load/test_load.c $(config_test_support)
tests_unit_config_load_test_load_LDADD = $(config_test_libs)
TESTS += tests/unit/config/load/test_load

check_PROGRAMS += tests/unit/config/load/test_restart
tests_unit_config_load_test_restart_SOURCES = \
	tests/unit/config/load/test_restart.c $(config_test_support)
tests_unit_config_load_test_restart_LDADD = $(config_test_libs)
TESTS += tests/unit/config/load/test_restart

check_PROGRAMS += tests/unit/config/load/test_routes
tests_unit_config_load_test_routes_SOURCES = \
	tests/unit/config/load/test_routes.c $(config_test_support)
tests_unit_config_load_test_routes_LDADD = $(config_test_libs)
TESTS += tests/unit/config/load/test_routes

check_PROGRAMS += tests/unit/config/load/test_steering
tests_unit_config_load_test_steering_SOURCES = \
	tests/unit/config/load/test_steering.c $(config_test_support)
tests_unit_config_load_test_steering_LDADD = $(config_test_libs)
TESTS += tests/unit/config/load/test_steering

check_PROGRAMS += tests/unit/config/load/test_validate
tests_unit_config_load_test_validate_SOURCES = \
	tests/unit/config/load/test_validate.c $(config_test_support)
tests_unit_config_load_test_validate_LDADD = $(config_test_libs)
TESTS += tests/unit/config/load/test_validate

check_PROGRAMS += tests/unit/config/options/test_options
tests_unit_config_options_test_options_SOURCES = \
	tests/unit/config/options/test_options.c $(config_test_support)
tests_unit_config_options_test_options_LDADD = $(config_test_libs)
TESTS += tests/unit/config/options/test_options

check_PROGRAMS += tests/unit/config/print/test_print
tests_unit_config_print_test_print_SOURCES = \
	tests/unit/config/print/test_print.c $(config_test_support)
tests_unit_config_print_test_print_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSAMPLES='"$(abs_top_srcdir)/config/samples"'
tests_unit_config_print_test_print_LDADD = $(config_test_libs)
TESTS += tests/unit/config/print/test_print

check_PROGRAMS += tests/unit/config/syntax/test_include
tests_unit_config_syntax_test_include_SOURCES = \
	tests/unit/config/syntax/test_include.c $(config_test_support)
tests_unit_config_syntax_test_include_LDADD = $(config_test_libs)
TESTS += tests/unit/config/syntax/test_include

check_PROGRAMS += tests/unit/config/syntax/test_yaml
tests_unit_config_syntax_test_yaml_SOURCES = \
	tests/unit/config/syntax/test_yaml.c $(config_test_support)
tests_unit_config_syntax_test_yaml_LDADD = $(config_test_libs)
TESTS += tests/unit/config/syntax/test_yaml

check_PROGRAMS += tests/unit/config/test_diag
tests_unit_config_test_diag_SOURCES = tests/unit/config/test_diag.c $(config_test_support)
tests_unit_config_test_diag_LDADD = $(config_test_libs)
TESTS += tests/unit/config/test_diag

check_PROGRAMS += tests/unit/config/test_suggest
tests_unit_config_test_suggest_SOURCES = tests/unit/config/test_suggest.c $(config_test_support)
tests_unit_config_test_suggest_LDADD = $(config_test_libs)
TESTS += tests/unit/config/test_suggest

check_PROGRAMS += tests/unit/config/test_units
tests_unit_config_test_units_SOURCES = tests/unit/config/test_units.c $(config_test_support)
tests_unit_config_test_units_LDADD = $(config_test_libs)
TESTS += tests/unit/config/test_units

check_PROGRAMS += tests/unit/config/types/test_log
tests_unit_config_types_test_log_SOURCES = \
	tests/unit/config/types/test_log.c $(config_test_support)
tests_unit_config_types_test_log_LDADD = $(config_test_libs)
TESTS += tests/unit/config/types/test_log

check_PROGRAMS += tests/unit/config/types/test_template
tests_unit_config_types_test_template_SOURCES = tests/unit/config/types/test_template.c
tests_unit_config_types_test_template_LDADD = $(LINK_CONFIG) $(CMOCKA_LIBS)
TESTS += tests/unit/config/types/test_template

check_PROGRAMS += tests/unit/config/types/test_tls
tests_unit_config_types_test_tls_SOURCES = tests/unit/config/types/test_tls.c $(config_test_support)
tests_unit_config_types_test_tls_LDADD = $(config_test_libs)
TESTS += tests/unit/config/types/test_tls

check_PROGRAMS += tests/unit/config/load/test_changes
tests_unit_config_load_test_changes_SOURCES = \
	tests/unit/config/load/test_changes.c $(config_test_support)
tests_unit_config_load_test_changes_LDADD = $(config_test_libs)
TESTS += tests/unit/config/load/test_changes
