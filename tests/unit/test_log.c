/* test_log.c - lines of the log: their form, levels, what a client cannot forge, and the
 * bound on what it can cause. */
#include "server/log.h"

#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support/runner.h"

static char path[64], moved[80];
static char text[16384];

static void setup(void)
{
    strcpy(path, "/tmp/cairn-log.XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    snprintf(moved, sizeof moved, "%s.1", path);
    ck_assert_int_eq(log_open("info", path), 0);
}

static void teardown(void)
{
    log_close();
    unlink(path);
    unlink(moved);
}

static const char *read_log(const char *from)
{
    FILE *file = fopen(from, "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static size_t count_lines(const char *log)
{
    size_t count = 0;
    for (; (log = strchr(log, '\n')); log++) count++;
    return count;
}

/* Room for so many bytes in files; 0: any number. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes ? bytes : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_full_disk_is_told_once_and_what_is_missing_afterwards)
{
    char complaint[500];
    int ends[2], saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    signal(SIGXFSZ, SIG_IGN);
    log_info("one");
    limit_files(60);
    for (int i = 0; i < 4; i++) log_info("lost %d", i);
    limit_files(0);
    log_info("two");
    log_info("three");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t length = read(ends[0], complaint, sizeof complaint - 1);
    close(ends[0]);
    ck_assert_int_gt(length, 0);
    complaint[length] = 0;
    ck_assert_uint_eq(count_lines(complaint), 1);
    ck_assert_ptr_nonnull(strstr(complaint, path));
    ck_assert_ptr_nonnull(strstr(complaint, strerror(EFBIG)));
    ck_assert_uint_eq(count_lines(read_log(path)), 5); /* one is cut */
    const char *line = strstr(text, "info  one\n");
    ck_assert_ptr_nonnull(line);
    ck_assert_ptr_nonnull(line = strstr(line, " error 4 lines are missing here"));
    ck_assert_ptr_nonnull(line = strstr(line, "info  two\n"));
    ck_assert_ptr_nonnull(strstr(line, "info  three\n"));
}
END_TEST

START_TEST(a_line_has_time_and_level)
{
    regex_t form;
    log_info("port %d", 7);
    log_error("bad");
    ck_assert_int_eq(regcomp(&form,
                             "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z info  port 7\n"
                             "[0-9T:.Z-]+ error bad\n$",
                             REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(regexec(&form, read_log(path), 0, NULL, 0) == 0, "%s", text);
    regfree(&form);
}
END_TEST

START_TEST(lower_levels_are_left_out)
{
    log_debug("unseen");
    ck_assert_str_eq(read_log(path), "");
    log_warn("seen");
    ck_assert_uint_eq(count_lines(read_log(path)), 1);
    ck_assert_int_eq(log_open("error", path), 0);
    log_warn("unseen");
    ck_assert_uint_eq(count_lines(read_log(path)), 1);
    ck_assert_int_eq(log_open("debug", path), 0);
    log_debug("seen");
    ck_assert_uint_eq(count_lines(read_log(path)), 2);
    ck_assert_int_eq(log_open("loud", path), -EINVAL);
    ck_assert_int_eq(log_open("info", "/nonexistent/log"), -ENOENT);
    log_debug("still open");
    ck_assert_uint_eq(count_lines(read_log(path)), 3);
}
END_TEST

START_TEST(nothing_forges_a_line)
{
    log_info("name %s", "a\n2026-01-01T00:00:00.000Z error forged\r\x1b[2J\x7f");
    ck_assert_uint_eq(count_lines(read_log(path)), 1);
    ck_assert_ptr_nonnull(strstr(text, "a?2026-01-01T00:00:00.000Z error forged??[2J?\n"));
    char *large = malloc(100001);
    ck_assert_ptr_nonnull(large);
    memset(large, 'x', 100000);
    large[100000] = '\0';
    log_info("%s", large);
    free(large);
    ck_assert_uint_eq(count_lines(read_log(path)), 2);
    ck_assert_uint_lt(strlen(text), 2048);
}
END_TEST

START_TEST(a_flood_is_cut)
{
    struct log_limit limit = {0};
    for (int i = 0; i < 1000; i++) log_limited(&limit, LOG_LEVEL_WARN, "flood %d", i);
    ck_assert_uint_eq(count_lines(read_log(path)), LOG_BURST);
    ck_assert_ptr_nonnull(strstr(text, "flood 0\n"));
    ck_assert_ptr_null(strstr(text, "flood 999"));
    limit.period_start_ms -= LOG_PERIOD_MS; /* as if the period were over */
    log_limited(&limit, LOG_LEVEL_WARN, "later");
    ck_assert_uint_eq(count_lines(read_log(path)), LOG_BURST + 2);
    ck_assert_ptr_nonnull(strstr(text, "980 lines like the next were left out"));
    struct log_limit debug = {0};
    log_limited(&debug, LOG_LEVEL_DEBUG, "unseen");
    ck_assert_uint_eq(debug.written, 0);
}
END_TEST

START_TEST(a_renamed_log_is_opened_again)
{
    log_info("before");
    ck_assert_int_eq(rename(path, moved), 0);
    log_info("between");
    log_reopen();
    log_info("after");
    ck_assert_uint_eq(count_lines(read_log(moved)), 2);
    ck_assert_uint_eq(count_lines(read_log(path)), 1);
    ck_assert_ptr_nonnull(strstr(text, "after"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_full_disk_is_told_once_and_what_is_missing_afterwards);
    tcase_add_test(tcase, a_line_has_time_and_level);
    tcase_add_test(tcase, lower_levels_are_left_out);
    tcase_add_test(tcase, nothing_forges_a_line);
    tcase_add_test(tcase, a_flood_is_cut);
    tcase_add_test(tcase, a_renamed_log_is_opened_again);
    suite_add_tcase(suite, tcase);
    return suite;
}
