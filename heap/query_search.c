/* query_search.c - whether a text contains another one.
 *
 * Texts have up to a MiB, and so may what is looked for. The search is linear in the worst case,
 * and stops wherever enough bytes have been looked at: q->eval.search. Short patterns are found by
 * memmem, which takes up to as many comparisons for each byte as the pattern has, in windows that
 * overlap; long ones by the algorithm of Knuth, Morris and Pratt, whose table is made in pieces as
 * well, when it is needed first. */
#include "heap/query_int.h"

#include <string.h>

#define SHORT_MAX 64
#define WINDOW_BYTES 4096
#define WORK_BYTE 2 /* of a text that is searched, or of a pattern that a table is made for */

static int search_short(struct query *q, const struct query_test *test, struct table_text t,
                        size_t at)
{
    const struct table_text part = test->low;
    for (;;) {
        size_t left = t.length - at, window = WINDOW_BYTES + part.length - 1;
        if (window > left) window = left;
        bool found = memmem(t.data + at, window, part.data, part.length) != NULL;
        bool enough = query_work(q, 16 + WORK_BYTE * window);
        if (found || window == left) return found;
        at += WINDOW_BYTES;
        if (!enough) continue;
        q->eval.search.open = true;
        q->eval.search.at = at;
        return QUERY_BUSY;
    }
}

/* --- long patterns -----------------------------------------------------------------------------*/

/* The next part of the table: 0 when it is whole, QUERY_BUSY or an error. */
static int make_skips(struct query *q, struct query_test *test)
{
    const char *part = test->low.data;
    uint32_t length = (uint32_t)test->low.length;
    if (!test->skips) {
        test->skips = query_alloc(q, length * sizeof *test->skips);
        if (!test->skips) return query_fail_memory(q);
        test->skips[0] = -1;
        test->skip_count = 1;
        test->skip_next = -1;
    }
    int32_t *skips = test->skips, next = test->skip_next;
    uint32_t first = test->skip_count, end = length - first < WINDOW_BYTES ? length
                                                                           : first + WINDOW_BYTES;
    for (uint32_t i = first; i < end; i++) {
        while (next >= 0 && part[i - 1] != part[next]) next = skips[next];
        next++;
        skips[i] = part[i] == part[next] ? skips[next] : next;
    }
    test->skip_count = end;
    test->skip_next = next;
    query_work(q, WORK_BYTE * (end - first));
    return end < length ? QUERY_BUSY : 0;
}

/* From t[at] on, with `matched` bytes of the pattern before it, up to t[end). */
static bool search_window(const struct query_test *test, struct table_text t, size_t *at,
                          int64_t *matched, size_t end)
{
    const char *part = test->low.data;
    const int64_t length = (int64_t)test->low.length;
    const int32_t *skips = test->skips;
    size_t i = *at;
    int64_t known = *matched;
    while (i < end) {
        if (known == 0) {
            const char *first = memchr(t.data + i, part[0], end - i);
            i = first ? (size_t)(first - t.data) : end;
            if (!first) break;
        }
        while (known >= 0 && t.data[i] != part[known]) known = skips[known];
        i++;
        if (++known == length) return true;
    }
    *at = i;
    *matched = known;
    return false;
}

static int search_long(struct query *q, struct query_test *test, struct table_text t, size_t at,
                       int64_t matched)
{
    while (test->skip_count < test->low.length) {
        int error = make_skips(q, test);
        if (error < 0) return error;
        if (q->work < q->work_max) continue;
        q->eval.search.open = true;
        q->eval.search.at = 0;
        q->eval.search.matched = 0;
        return QUERY_BUSY;
    }
    while (at < t.length) {
        size_t begin = at, end = t.length - at < WINDOW_BYTES ? t.length : at + WINDOW_BYTES;
        if (search_window(test, t, &at, &matched, end)) return 1;
        if (!query_work(q, WORK_BYTE * (end - begin)) || at == t.length) continue;
        q->eval.search.open = true;
        q->eval.search.at = at;
        q->eval.search.matched = matched;
        return QUERY_BUSY;
    }
    return 0;
}

int query_search(struct query *q, struct query_test *test, struct table_text t)
{
    size_t at = q->eval.search.open ? q->eval.search.at : 0;
    int64_t matched = q->eval.search.open ? q->eval.search.matched : 0;
    q->eval.search.open = false;
    if (test->low.length == 0) return 1;
    if (t.length < test->low.length) return 0;
    return test->low.length <= SHORT_MAX ? search_short(q, test, t, at)
                                         : search_long(q, test, t, at, matched);
}
