/* sorted_set.c - sorted sets: a tree of entries in order, and a map from members to scores.
 *
 * Both change together or not at all. The order of the steps sees to that: first what can fail,
 * the tree's part before the map's, because removing from a tree needs no memory. A score that is
 * to be replaced stays in both until the change is kept, so that undoing it needs no memory
 * either: many changes can be made that are all or none.
 *
 * The map's root has a kind of its own, so that it is never a record, whose shape would be the
 * members of one set (map_int.h). */
#include "heap/sorted_set.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "heap/map_int.h"
#include "heap/sorted_int.h"

/* --- scores ---------------------------------------------------------------------------------*/

#define INT64_BEYOND 0x1p63 /* the least double above int64 */

int sorted_score(struct number n, struct number *score)
{
    if (n.class == NUMBER_NONE) return -EINVAL;
    if (n.class == NUMBER_UINT64) {
        double d = (double)n.u;
        if (d >= 2 * INT64_BEYOND || (uint64_t)d != n.u) return -ERANGE;
        n = (struct number){.class = NUMBER_DOUBLE, .d = d};
    }
    *score = n;
    if (n.class == NUMBER_INT64) return 0;
    if (isnan(n.d)) return -EINVAL;
    if (n.d >= -INT64_BEYOND && n.d < INT64_BEYOND && n.d == (double)(int64_t)n.d)
        *score = (struct number){.class = NUMBER_INT64, .i = (int64_t)n.d};
    return 0;
}

/* A double that is no integer of int64 against one. */
static int compare_mixed(double d, int64_t i)
{
    if (d >= INT64_BEYOND) return 1;
    if (d < -INT64_BEYOND) return -1;
    int64_t whole = (int64_t)d; /* towards zero */
    if (whole != i) return whole < i ? -1 : 1;
    return d < (double)whole ? -1 : 1;
}

int sorted_score_compare(struct number a, struct number b)
{
    if (a.class == NUMBER_INT64 && b.class == NUMBER_INT64) return (a.i > b.i) - (a.i < b.i);
    if (a.class == NUMBER_DOUBLE && b.class == NUMBER_DOUBLE) return (a.d > b.d) - (a.d < b.d);
    return a.class == NUMBER_DOUBLE ? compare_mixed(a.d, b.i) : -compare_mixed(b.d, a.i);
}

/* --- the root -------------------------------------------------------------------------------*/

static value *root_top(const struct heap *h, value set)
{
    return &cell_words(h, set)[SORTED_TOP];
}

value sorted_set_scores(const struct heap *h, value set)
{
    return cell_words(h, set)[SORTED_SCORES];
}

value sorted_set_new(struct heap *h)
{
    value set = cell_take(h, KIND_SORTED_SET, SORTED_ROOT_WORDS * sizeof(value), 0);
    if (set == VALUE_ABSENT) return set;
    value scores = map_root_new(h, KIND_SCORES);
    if (scores == VALUE_ABSENT) {
        cell_free(h, set);
        return scores;
    }
    value *words = cell_words(h, set);
    store_new(&words[SORTED_HEADER], cell_header(KIND_SORTED_SET, 0));
    store_new(&words[SORTED_SCORES], scores);
    return set;
}

size_t sorted_set_count(const struct heap *h, value set)
{
    return map_count(h, sorted_set_scores(h, set));
}

bool sorted_set_score(const struct heap *h, value set, const void *member, size_t length,
                      struct number *score)
{
    struct map_key key;
    map_key_text(h, &key, member, length);
    value v = map_get(h, sorted_set_scores(h, set), &key);
    if (v == VALUE_ABSENT) return false;
    *score = number_read(h, v);
    return true;
}

/* --- changing -------------------------------------------------------------------------------*/

/* The tree's part and the map's. 0, or -ENOMEM; consumes `v` if it succeeds. */
static int put_take(struct heap *h, value set, const struct map_key *key, value v,
                    struct sorted_change *change)
{
    struct sorted_entry entry = {change->score, change->member, change->length};
    if (sorted_tree_insert(h, root_top(h, set), &entry) < 0) return -ENOMEM;
    int status = change->was_there ? map_ready(h, sorted_set_scores(h, set), key, v)
                                   : map_set_take(h, sorted_set_scores(h, set), key, v);
    if (status < 0) sorted_tree_remove(h, root_top(h, set), &entry);
    if (status == 0 && change->was_there) change->replacement = v;
    return status;
}

int sorted_set_put(struct heap *h, value set, const void *member, size_t length,
                   struct number score, struct sorted_change *change)
{
    struct map_key key;
    assert(length <= SORTED_MEMBER_MAX);
    *change = (struct sorted_change){.member = member, .length = length, .score = score,
                                     .is_other = true, .replacement = VALUE_NIL};
    map_key_text(h, &key, member, length);
    value old = map_get(h, sorted_set_scores(h, set), &key);
    if (old != VALUE_ABSENT) {
        change->was_there = true;
        change->old = number_read(h, old);
        change->is_other = sorted_score_compare(change->old, score) != 0;
        if (!change->is_other) return 0;
    }
    value v = number_make(h, score);
    if (v == VALUE_ABSENT) return -ENOMEM;
    int status = put_take(h, set, &key, v, change);
    if (status < 0) value_release(h, v);
    return status;
}

void sorted_set_keep(struct heap *h, value set, struct sorted_change *change)
{
    struct sorted_entry old = {change->old, change->member, change->length};
    struct map_key key;
    if (!change->was_there || !change->is_other) return;
    map_key_text(h, &key, change->member, change->length);
    map_set_ready_take(h, sorted_set_scores(h, set), &key, change->replacement);
    sorted_tree_remove(h, root_top(h, set), &old);
}

void sorted_set_undo(struct heap *h, value set, struct sorted_change *change)
{
    struct sorted_entry entry = {change->score, change->member, change->length};
    struct map_key key;
    if (!change->is_other) return;
    sorted_tree_remove(h, root_top(h, set), &entry);
    value_release(h, change->replacement);
    if (change->was_there) return;
    map_key_text(h, &key, change->member, change->length);
    map_remove(h, sorted_set_scores(h, set), &key, NULL);
}

void sorted_set_settle(struct heap *h, value set, const struct sorted_change *change)
{
    struct map_key key;
    if (!change->was_there || !change->is_other) return;
    map_key_text(h, &key, change->member, change->length);
    map_settle(h, sorted_set_scores(h, set), &key);
}

bool sorted_set_remove(struct heap *h, value set, const void *member, size_t length)
{
    struct sorted_entry entry = {.member = member, .length = length};
    struct map_key key;
    if (!sorted_set_score(h, set, member, length, &entry.score)) return false;
    sorted_tree_remove(h, root_top(h, set), &entry);
    map_key_text(h, &key, member, length);
    map_remove(h, sorted_set_scores(h, set), &key, NULL);
    return true;
}

/* --- order ----------------------------------------------------------------------------------*/

bool sorted_set_rank(const struct heap *h, value set, const void *member, size_t length,
                     size_t *rank)
{
    struct sorted_target target = {.member = member, .length = length};
    if (!sorted_set_score(h, set, member, length, &target.score)) return false;
    *rank = sorted_tree_rank(h, *root_top(h, set), &target);
    return true;
}

size_t sorted_set_below(const struct heap *h, value set, struct number score, bool with_equal)
{
    struct sorted_target target = {.score = score, .edge = with_equal ? 1 : -1};
    return sorted_tree_rank(h, *root_top(h, set), &target);
}

void sorted_set_seek(const struct heap *h, value set, size_t rank, struct sorted_cursor *at)
{
    *at = (struct sorted_cursor){.set = set, .rank = rank};
    if (rank >= sorted_set_count(h, set)) return;
    at->leaf = sorted_tree_select(h, *root_top(h, set), rank, &at->index);
    at->count = sorted_leaf_count(h, at->leaf);
}

bool sorted_set_next(const struct heap *h, struct sorted_cursor *at, struct sorted_entry *entry)
{
    if (at->index == at->count) sorted_set_seek(h, at->set, at->rank, at);
    if (at->index == at->count) return false;
    sorted_leaf_get(h, at->leaf, at->index++, entry);
    at->rank++;
    return true;
}

bool sorted_set_previous(const struct heap *h, struct sorted_cursor *at,
                         struct sorted_entry *entry)
{
    if (at->rank == 0) return false;
    if (at->index == 0) {
        sorted_set_seek(h, at->set, at->rank - 1, at);
        at->index++;
    } else {
        at->rank--;
    }
    sorted_leaf_get(h, at->leaf, --at->index, entry);
    return true;
}

/* --- checking -------------------------------------------------------------------------------*/

int sorted_set_verify(const struct heap *h, value set, char *message, size_t size)
{
    size_t count, met = 0;
    struct sorted_cursor at;
    struct sorted_entry entry;
    struct number score;
    if (sorted_tree_verify(h, *root_top(h, set), &count, message, size) < 0) return -EINVAL;
    sorted_set_seek(h, set, 0, &at);
    for (; sorted_set_next(h, &at, &entry); met++) {
        if (sorted_set_score(h, set, entry.member, entry.length, &score) &&
            sorted_score_compare(score, entry.score) == 0)
            continue;
        snprintf(message, size, "entry %zu has another score, or none, in the map", met);
        return -EINVAL;
    }
    if (count == met && met == sorted_set_count(h, set)) return 0;
    snprintf(message, size, "the tree has %zu entries, %zu were met, the map has %zu", count, met,
             sorted_set_count(h, set));
    return -EINVAL;
}
