/* sorted_set.h - sorted sets: members in the order of their scores.
 *
 * Members are texts of up to SORTED_MEMBER_MAX bytes; each has one score, and entries are ordered
 * by score, then by the bytes of the member. Adding, removing, looking up the score or the rank of
 * a member, and finding the first entry from a score or a rank on, take O(log n).
 *
 * A score is an integer of int64 or a double that is none: 1.0 is 1, and -0.0 is 0. So scores
 * compare exactly, whatever they were written as. There are infinite ones, and no NaN. */
#ifndef CAIRN_HEAP_SORTED_SET_H
#define CAIRN_HEAP_SORTED_SET_H

#include "heap/number.h"
#include "heap/text.h"

#define SORTED_MEMBER_MAX (CELL_BYTES_MAX / 2 - 64)

warn_unused value sorted_set_new(struct heap *h);
size_t sorted_set_count(const struct heap *h, value set);

/* A number as score. 0; -EINVAL if it is NaN or no number; -ERANGE if it is an integer above int64
 * that no double is equal to. */
warn_unused int sorted_score(struct number n, struct number *score);
/* -1, 0, 1. */
int sorted_score_compare(struct number a, struct number b);

/* The score of a member; false if it is not there. */
bool sorted_set_score(const struct heap *h, value set, const void *member, size_t length,
                      struct number *score);

/* Sets the score of a member, which is added if it is not there. What needs memory is done, but
 * the change is not complete until it is kept or undone, neither of which fails. Several may be
 * open at a time, of different members, all within one call: first those of members that are not
 * there, then those of members that are. Nothing else may be asked of the set meanwhile but scores,
 * and those are the old ones. `member` must live as long. 0; or -ENOMEM, and nothing has
 * changed. */
struct sorted_change {
    const void *member;
    size_t length;
    bool was_there;
    bool is_other; /* than it was */
    struct number old, score;
    value replacement; /* of a member that was there: the score, owned */
};
warn_unused int sorted_set_put(struct heap *h, value set, const void *member, size_t length,
                               struct number score, struct sorted_change *change);
void sorted_set_keep(struct heap *h, value set, struct sorted_change *change);
void sorted_set_undo(struct heap *h, value set, struct sorted_change *change);
/* When all changes were kept or undone: gives back what their readiness took. */
void sorted_set_settle(struct heap *h, value set, const struct sorted_change *change);

/* Whether it was there. Never fails for want of memory. */
bool sorted_set_remove(struct heap *h, value set, const void *member, size_t length);

/* The number of entries before a member; false if it is not there. */
bool sorted_set_rank(const struct heap *h, value set, const void *member, size_t length,
                     size_t *rank);
/* How many entries have a lower score; or, if `with_equal`, one that is not higher. */
size_t sorted_set_below(const struct heap *h, value set, struct number score, bool with_equal);

/* Reading in order, from a rank on. Valid until the set changes. */
struct sorted_cursor {
    value set;
    size_t rank; /* of the entry that next gives */
    value leaf;
    size_t index, count;
};
struct sorted_entry {
    struct number score;
    const char *member; /* valid until the set changes */
    size_t length;
};
/* `rank` <= count. */
void sorted_set_seek(const struct heap *h, value set, size_t rank, struct sorted_cursor *at);
/* The entry at the cursor, which moves behind it; the one before it, which moves there. False at
 * the end, or at the beginning. */
bool sorted_set_next(const struct heap *h, struct sorted_cursor *at, struct sorted_entry *entry);
bool sorted_set_previous(const struct heap *h, struct sorted_cursor *at,
                         struct sorted_entry *entry);

/* The map from members to scores: to compare, and to page through. */
value sorted_set_scores(const struct heap *h, value set);

/* Checks order, counts and that tree and map agree; 0, or -EINVAL and what is wrong. */
int sorted_set_verify(const struct heap *h, value set, char *message, size_t size);

#endif
