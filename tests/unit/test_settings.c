/* test_settings.c - settings from text, a file and the command line; what is refused, and
 * what the refusal says. */
#include "server/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/runner.h"

static struct settings settings;
static char error[600];
static char path[64];

static void setup(void)
{
    ck_assert_int_eq(settings_init(&settings), 0);
    *error = '\0';
    *path = '\0';
}

static void teardown(void)
{
    settings_close(&settings);
    if (*path) unlink(path);
}

static void write_file(const char *text)
{
    strcpy(path, "/tmp/cairn-settings.XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static int read_text(const char *text)
{
    write_file(text);
    return settings_read_file(&settings, path, error, sizeof error);
}

static int set(const char *name, const char *text)
{
    return settings_set(&settings, name, text, error, sizeof error);
}

static void refuse(const char *name, const char *text, const char *complaint)
{
    ck_assert_int_eq(set(name, text), -EINVAL);
    ck_assert_msg(strstr(error, complaint), "\"%s\" lacks \"%s\"", error, complaint);
}

START_TEST(defaults_are_in_order)
{
    ck_assert_uint_eq(settings.port, 22476);
    ck_assert_str_eq(settings.bind, "127.0.0.1");
    ck_assert_uint_eq(settings.request_bytes, 64 * SIZE_M);
    ck_assert_uint_eq(settings.request_depth, 128);
    ck_assert_uint_eq(settings.idle_time, 0);
    ck_assert(!settings.insecure && !settings.verify);
    ck_assert_int_eq(settings_check(&settings, error, sizeof error), 0);
}
END_TEST

START_TEST(every_setting_prints_what_it_reads)
{
    for (size_t i = 0; settings_name(i); i++) {
        char before[200], after[200];
        const char *name = settings_name(i);
        ck_assert(settings_get(&settings, name, before, sizeof before));
        if (!*before) continue; /* an empty path */
        ck_assert_int_eq(set(name, before), 0);
        ck_assert(settings_get(&settings, name, after, sizeof after));
        ck_assert_str_eq(before, after);
    }
    char out[20];
    ck_assert(!settings_get(&settings, "nonsense", out, sizeof out));
}
END_TEST

START_TEST(sizes_take_units)
{
    const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {{"4096", 4096},        {"512M", 512 * SIZE_M}, {"2g", 2 * SIZE_G},
                 {"64MiB", 64 * SIZE_M}, {"16kb", 16 * SIZE_K},  {"1 T", SIZE_T},
                 {"0", 0},              {"100b", 100}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(set("max-memory", cases[i].text), 0);
        ck_assert_uint_eq(settings.max_memory, cases[i].bytes);
    }
    char out[20];
    ck_assert_int_eq(set("max-memory", "1536m"), 0);
    ck_assert(settings_get(&settings, "max-memory", out, sizeof out));
    ck_assert_str_eq(out, "1536m");
    refuse("max-memory", "lots", "\"lots\" is not a size");
    refuse("max-memory", "12q", "is not a size");
    refuse("max-memory", "12mm", "is not a size");
    refuse("max-memory", "-1", "is not a size");
    refuse("max-memory", "", "is not a size");
    refuse("max-memory", "2t", "it takes 0 to 1t");
    refuse("max-memory", "99999999999999999999", "out of range");
    refuse("max-memory", "9999999999999999t", "out of range");
    ck_assert_uint_eq(settings.max_memory, 1536 * SIZE_M);
}
END_TEST

START_TEST(durations_numbers_and_booleans)
{
    ck_assert_int_eq(set("idle-time", "90s"), 0);
    ck_assert_uint_eq(settings.idle_time, 90000);
    ck_assert_int_eq(set("idle-time", "250"), 0);
    ck_assert_uint_eq(settings.idle_time, 250);
    ck_assert_int_eq(set("idle-time", "2min"), 0);
    ck_assert_uint_eq(settings.idle_time, 120000);
    refuse("idle-time", "2m", "is not a duration");
    refuse("port", "65536", "it takes 0 to 65535");
    refuse("port", "1k", "is not a whole number");
    refuse("clients", "0", "it takes 1 to");
    ck_assert_int_eq(set("verify", "On"), 0);
    ck_assert(settings.verify);
    ck_assert_int_eq(set("verify", "false"), 0);
    ck_assert(!settings.verify);
    refuse("verify", "maybe", "neither yes nor no");
    refuse("bind", "", "may not be empty");
    char long_path[200];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    refuse("unix", long_path, "199 bytes are too long");
}
END_TEST

START_TEST(an_unknown_name_gets_a_suggestion)
{
    refuse("prot", "1", "did you mean \"port\"?");
    refuse("max-memry", "1", "did you mean \"max-memory\"?");
    refuse("something-else", "1", "--help");
}
END_TEST

START_TEST(a_file_is_read)
{
    ck_assert_int_eq(read_text("# a comment\n"
                               "port = 1234\n"
                               "\n"
                               "[limits]\n"
                               "  max-memory=256m\n"
                               "unix =\n"
                               "; another\n"
                               "log-level: debug"),
                     0);
    ck_assert_uint_eq(settings.port, 1234);
    ck_assert_uint_eq(settings.max_memory, 256 * SIZE_M);
    ck_assert_str_eq(settings.unix_path, "");
    ck_assert_str_eq(settings.log_level, "debug");
}
END_TEST

static void refuse_file(const char *text, const char *place, const char *complaint)
{
    char expected[100];
    ck_assert_int_eq(read_text(text), -EINVAL);
    snprintf(expected, sizeof expected, "%s:%s: ", path, place);
    ck_assert_msg(strncmp(error, expected, strlen(expected)) == 0, "%s", error);
    ck_assert_msg(strstr(error, complaint), "\"%s\" lacks \"%s\"", error, complaint);
    unlink(path);
}

START_TEST(errors_of_a_file_name_the_line)
{
    refuse_file("port = 1\nport = x\nbind = 1.2.3.4\n", "2", "port: \"x\" is not a whole number");
    refuse_file("\n\n# c\nwhat\n", "4", "this line is not understood");
    refuse_file("prot = 1\n", "1", "did you mean \"port\"?");
    refuse_file("[s]\nconfig = other\n", "2", "cannot name another");
    char text[400] = "port = 5\nlog-file = ";
    memset(text + strlen(text), 'x', 300);
    refuse_file(text, "2", "too long");
    ck_assert_int_eq(settings_read_file(&settings, "/nonexistent/file", error, sizeof error),
                     -EINVAL);
    ck_assert_str_eq(error, "/nonexistent/file: cannot be read: No such file or directory");
}
END_TEST

static int arguments(enum settings_action *action, const char *const *words)
{
    int count = 1;
    char *argv[12] = {(char *)(uintptr_t)"cairn-server"};
    for (; *words; words++) argv[count++] = (char *)(uintptr_t)*words;
    return settings_read_arguments(&settings, count, argv, action, error, sizeof error);
}
#define ARGUMENTS(action, ...) arguments(action, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(the_command_line_overrides_the_file)
{
    enum settings_action action;
    write_file("port = 1111\nclients = 7\n");
    ck_assert_int_eq(ARGUMENTS(&action, "--port", "2222", path, "--verify"), 0);
    ck_assert_int_eq(action, SETTINGS_RUN);
    ck_assert_uint_eq(settings.port, 2222);
    ck_assert_uint_eq(settings.clients, 7);
    ck_assert(settings.verify);
    ck_assert_str_eq(settings.config, path);
    char option[100];
    snprintf(option, sizeof option, "--config=%s", path);
    ck_assert_int_eq(ARGUMENTS(&action, "--verify=no", option, "--check-config"), 0);
    ck_assert_int_eq(action, SETTINGS_CHECK);
    ck_assert_uint_eq(settings.port, 1111);
    ck_assert(!settings.verify);
}
END_TEST

START_TEST(bad_command_lines_are_refused)
{
    enum settings_action action;
    ck_assert_int_eq(ARGUMENTS(&action, "--prot", "1"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "did you mean \"port\"?"));
    ck_assert_int_eq(ARGUMENTS(&action, "--port"), -EINVAL);
    ck_assert_str_eq(error, "--port: it needs a value");
    ck_assert_int_eq(ARGUMENTS(&action, "--port=x"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "--port: \"x\" is not a whole number"));
    ck_assert_int_eq(ARGUMENTS(&action, "-p", "1"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "\"-p\" is not an option"));
    ck_assert_int_eq(ARGUMENTS(&action, "--prot", "--help"), -EINVAL);
    ck_assert_int_eq(ARGUMENTS(&action, "--help", "--prot"), 0);
    ck_assert_int_eq(action, SETTINGS_HELP);
    ck_assert_int_eq(ARGUMENTS(&action, "--version"), 0);
    ck_assert_int_eq(action, SETTINGS_VERSION);
}
END_TEST

START_TEST(limits_that_contradict_each_other_are_refused)
{
    ck_assert_int_eq(set("reply-bytes", "256m"), 0);
    ck_assert_int_eq(settings_check(&settings, error, sizeof error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "pending-reply-bytes is below reply-bytes"));
    ck_assert_int_eq(set("reply-bytes", "1k"), 0);
    ck_assert_int_eq(set("pending-reply-bytes", "8k"), 0);
    ck_assert_int_eq(settings_check(&settings, error, sizeof error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "pending-reply-pause is above"));
    ck_assert_int_eq(set("pending-reply-pause", "8k"), 0);
    ck_assert_int_eq(settings_check(&settings, error, sizeof error), 0);
    ck_assert_int_eq(set("max-memory", "1m"), 0);
    ck_assert_int_eq(settings_check(&settings, error, sizeof error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "max-memory is below 16m"));
    ck_assert_int_eq(set("max-memory", "16m"), 0);
    ck_assert_int_eq(set("log-level", "loud"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "\"loud\" is not a level"));
    ck_assert_int_eq(set("bind", "foo"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "\"foo\" is not an IP address"));
    ck_assert_int_eq(set("bind", "::1"), 0);
    ck_assert_int_eq(set("bind", "none"), 0);
    ck_assert_int_eq(settings_check(&settings, error, sizeof error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "nothing to listen on"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("settings");
    TCase *tcase = tcase_create("settings");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, defaults_are_in_order);
    tcase_add_test(tcase, every_setting_prints_what_it_reads);
    tcase_add_test(tcase, sizes_take_units);
    tcase_add_test(tcase, durations_numbers_and_booleans);
    tcase_add_test(tcase, an_unknown_name_gets_a_suggestion);
    tcase_add_test(tcase, a_file_is_read);
    tcase_add_test(tcase, errors_of_a_file_name_the_line);
    tcase_add_test(tcase, the_command_line_overrides_the_file);
    tcase_add_test(tcase, bad_command_lines_are_refused);
    tcase_add_test(tcase, limits_that_contradict_each_other_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
