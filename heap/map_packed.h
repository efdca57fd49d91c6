/* map_packed.h - packed segments: keys and short values together in one leaf cell.
 *
 * A segment (KIND_MAP_SEGMENT, a leaf of up to SEGMENT_BYTES_MAX) holds the entries of a part of
 * a map's hash space:
 *
 *   [head:16][index: slots × 16 bits][entries, appended like a log …][room]
 *
 *   index   open addressing, linear probing: 4 bits of hash | offset of the entry + 1 (12 bits);
 *           0 is free, 0x0fff was removed. The home of an entry follows from 16 bits of its hash.
 *   entry   [tag][meta][key][value]
 *   tag     expires:1 | type of the key:3 | type of the value:4
 *   meta    of tracked maps only: in segments that are `accessed`, access state, 16 bits; and, if
 *           `expires`, a time, 48 bits
 *   key     text: [length:1][bytes]; a word: 8 bytes; an integer: 1 to 4 bytes;
 *           a cell: number of a word in the values (keys above PACKED_TEXT_MAX, boxed numbers)
 *   value   nothing (nil, false, true); text: [length:1][bytes]; a word: 8 bytes;
 *           an integer: 1 to 7 bytes; a reference: number of a word in the values
 *
 * The marker looks at words of containers only, so what must be a word lies in a second cell,
 * the segment's *values* (KIND_MAP_VALUES), made when the first such value comes:
 *
 *   [header: live, used, first hole][word 1]…[word used][nil]…
 *
 * Holes are linked: a special word with the number of the next. A word that a value entry names
 * may be anything but a hole, so that a value can always be put there without memory.
 *
 * All numbers are little-endian as the machine's; segments never leave it. */
#ifndef CAIRN_HEAP_MAP_PACKED_H
#define CAIRN_HEAP_MAP_PACKED_H

#include "heap/map_int.h"

#define SEGMENT_BYTES_MAX (CELL_BYTES_MAX / 2)
#define SEGMENT_BYTES_MIN 64
/* Longer texts have cells of their own: their length must fit a byte, and some entries must fit
 * into each half of a segment that is split. */
#ifdef CAIRN_GC_STRESS
#define PACKED_TEXT_MAX 40
#else
#define PACKED_TEXT_MAX 254
#endif
/* The smallest entry is a tag and one byte. */
#define INDEX_SLOTS_MAX (SEGMENT_BYTES_MAX / 2)
#define VALUES_WORDS_MAX (CELL_VALUES_MAX - 1)

enum packed_key_type {
    KEY_STRING, /* valid UTF-8; reads as a string */
    KEY_BYTES,
    KEY_WORD,
    KEY_CELL,
    KEY_INT1, /* … KEY_INT4 */
};
enum packed_value_type {
    PACKED_NIL,
    PACKED_FALSE,
    PACKED_TRUE,
    PACKED_STRING,
    PACKED_BYTES,
    PACKED_REF,
    PACKED_WORD,
    PACKED_INT1, /* … PACKED_INT7 */
};
#define TAG_EXPIRES 0x80
#define EXPIRES_BYTES 6
#define INDEX_FREE 0
#define INDEX_REMOVED 0x0fff
#define INDEX_OFFSET 0x0fff

struct segment_head {
    uint16_t slots;   /* of the index */
    uint16_t live;    /* entries */
    uint16_t removed; /* slots that were removed */
    uint16_t room;    /* bytes that entries may take */
    uint16_t end;     /* bytes they have taken, dead ones included */
    uint16_t dead;    /* bytes of entries that were removed or replaced */
    uint8_t depth;    /* bits of its node's that tell it from others */
    uint8_t accessed; /* entries have access state */
    uint16_t unused;
};
_Static_assert(sizeof(struct segment_head) == 16, "the index begins at a fixed place");
_Static_assert(SEGMENT_BYTES_MAX - sizeof(struct segment_head) < INDEX_REMOVED,
               "an offset plus one has twelve bits");

/* An open segment: pointers into its cell, valid until the next change of the map. */
struct segment {
    value cell;
    struct segment_head *head;
    uint16_t *index;
    unsigned char *entries;
    size_t slots;
    value values; /* or VALUE_NIL */
    bool accessed;
};

/* References to segments carry in their hash bits what a look-up needs of the head. */
#define SEGMENT_REF_ACCESSED 0x10000
static inline struct segment segment_open(const struct heap *h, value cell, value values)
{
    struct segment s = {.cell = cell, .head = ref_cell(h, cell), .values = values};
    s.index = (uint16_t *)(s.head + 1);
    s.slots = ref_hash(cell) & 0xffff;
    s.accessed = ref_hash(cell) & SEGMENT_REF_ACCESSED;
    s.entries = (unsigned char *)(s.index + s.slots);
    return s;
}

/* --- layout ---------------------------------------------------------------------------------*/

/* How many slots the index has for so many entries, and how many entries so many slots take. */
static inline size_t index_slots(size_t entries) { return (5 * entries + 3) / 4 + 2; }
static inline size_t index_entries(size_t slots) { return (slots - 2) * 4 / 5; }

static inline size_t segment_bytes(size_t content, size_t entries)
{
    return sizeof(struct segment_head) + 2 * index_slots(entries) + content;
}
/* Whether a segment of up to `limit` bytes has room for such content and is not crammed by it. */
static inline bool segment_holds(size_t content, size_t entries, size_t limit)
{
    size_t bytes = segment_bytes(content, entries);
    return bytes + bytes / 32 <= limit;
}
/* A new segment with some slack; VALUE_ABSENT when memory is short. */
warn_unused value segment_new(struct heap *h, unsigned depth, bool accessed, size_t content,
                              size_t entries);
static inline size_t segment_live_bytes(const struct segment *s)
{
    return (size_t)s->head->end - s->head->dead;
}
#define ACCESS_BYTES 2
static inline size_t segment_access_bytes(const struct segment *s)
{
    return s->accessed ? ACCESS_BYTES : 0;
}
/* Whether one more entry fits as it is, of so many bytes without its access state. */
bool segment_has_room(const struct segment *s, size_t bytes);

/* --- entries --------------------------------------------------------------------------------*/

struct entry {
    unsigned char *at;     /* the tag */
    unsigned char *key, *v; /* what follows */
    size_t size;
    enum packed_key_type key_type;
    enum packed_value_type type;
};
struct entry entry_open(const struct segment *s, size_t offset);
static inline struct entry slot_entry(const struct segment *s, size_t slot)
{
    return entry_open(s, (s->index[slot] & INDEX_OFFSET) - 1U);
}
static inline bool slot_is_live(const struct segment *s, size_t slot)
{
    return s->index[slot] != INDEX_FREE && s->index[slot] != INDEX_REMOVED;
}
/* Numbers of words in the values that the entry names: of the key, of the value; 0: none. */
unsigned entry_key_word(const struct entry *e);
unsigned entry_value_word(const struct entry *e);
/* The key and the value, borrowed: views of texts of more than seven bytes. */
value entry_key(const struct heap *h, const struct segment *s, const struct entry *e);
value entry_value(const struct heap *h, const struct segment *s, const struct entry *e);
uint64_t entry_hash(const struct heap *h, const struct segment *s, const struct entry *e);

/* A key as it lies in an entry. */
struct packed_key {
    enum packed_key_type type; /* of a text, KEY_STRING even if it is to be KEY_BYTES */
    const void *data;          /* of a text */
    size_t length;             /* of that, or of `bytes` */
    unsigned char bytes[8];
};
void packed_key_make(struct packed_key *k, const struct map_key *key);
static inline size_t packed_key_size(const struct packed_key *k)
{
    return k->type == KEY_CELL ? 2 : k->length + (k->type == KEY_STRING);
}
/* The slot, or -1. */
int segment_find(const struct heap *h, const struct segment *s, const struct map_key *key,
                 const struct packed_key *k);

/* A value as it lies in an entry. */
struct packed_value {
    enum packed_value_type type;
    size_t size;
    const void *data; /* of a text */
    unsigned char bytes[8];
    value v;          /* the value itself */
};
/* A text that is shared stays where it is, unless `shared_too`. */
void packed_value_make_with(struct heap *h, struct packed_value *p, value v, bool shared_too);
static inline void packed_value_make(struct heap *h, struct packed_value *p, value v)
{
    packed_value_make_with(h, p, v, false);
}
/* The value was packed: its cell, if it has one, is not needed any more. */
static inline void packed_value_forget(struct heap *h, const struct packed_value *p)
{
    if (p->type != PACKED_REF) value_release(h, p->v);
}

/* --- changing -------------------------------------------------------------------------------*/

/* Appends an entry: tag, meta and key are written; returns where the value goes. There is room. */
unsigned char *segment_append(struct segment *s, uint64_t hash, const struct packed_key *k,
                              unsigned key_word, enum packed_value_type type, size_t value_size);
/* Appends a copy of an entry of `from`. It gets access state (0), or loses it, if the segments
 * differ in that. There is room. */
unsigned char *segment_copy(struct segment *s, const struct segment *from, const struct entry *e,
                            uint64_t hash);
/* Writes what follows the tag; `word` is the number for PACKED_REF. */
void packed_value_write(unsigned char *at, const struct packed_value *p, unsigned word);
void entry_set_type(struct entry *e, enum packed_value_type type);
/* A copy of an entry at the end, with room for another value, takes its slot; where the value
 * goes. There is room. */
unsigned char *segment_replace(struct segment *s, size_t slot, enum packed_value_type type,
                               size_t value_size);
/* As segment_replace, but all of the entry is the caller's to write. */
unsigned char *segment_relocate(struct segment *s, size_t slot, size_t size);
/* Takes an entry out of the index. Its words were taken out of the values before. */
void segment_remove(struct segment *s, size_t slot);

/* --- values: map_values.c -------------------------------------------------------------------*/

warn_unused value values_new(struct heap *h, size_t count);
size_t values_live(const struct heap *h, value values);
/* Makes room for `count` more words at *slot, the node's; it may be nil. 0 or -ENOMEM. */
warn_unused int values_make_room(struct heap *h, value *slot, size_t count);
/* There is room. Returns the word's number. */
unsigned values_put(struct heap *h, value values, value v);
value values_take(struct heap *h, value values, unsigned word);
/* Frees the values at *slot if nothing is in them. */
void values_trim(struct heap *h, value *slot);
/* Moves a word into values that the caller then passes to cell_moved_in. */
unsigned values_move(struct heap *h, value from, unsigned word, value to);
static inline value *values_word(const struct heap *h, value values, unsigned word)
{
    return cell_words(h, values) + word;
}
/* For the checker: NULL, or what is wrong. `named` counts the words that entries name. */
const char *values_check(const struct heap *h, value values, const uint16_t *named);

/* --- moving entries together: map_move.c ----------------------------------------------------*/

/* A segment to be filled, and what will come into it. */
struct target {
    size_t content, entries, words;
    value cell, values; /* VALUE_NIL while there is none */
    struct segment s;
};
/* Adds an entry, or all of a segment, to what will come. */
void target_count(struct target *t, const struct entry *e);
void target_count_all(const struct heap *h, struct target *t, const struct segment *s);
/* Takes the cells; none if nothing comes. What was counted comes from `from` or one that is
 * accessed alike; the new one is accessed if `accessed`, or as `from` is if that would be too much
 * for it.
 * 0 or -ENOMEM. */
warn_unused int target_make(struct heap *h, struct target *t, unsigned depth,
                            const struct segment *from, bool accessed);
void target_discard(struct heap *h, struct target *t);
void target_move(struct heap *h, struct target *t, const struct segment *from,
                 const struct entry *e, uint64_t hash);
void target_move_all(struct heap *h, struct target *t, const struct segment *from);
/* Everything has come. */
void target_finish(struct heap *h, struct target *t);
/* Frees the cells of a segment whose entries have moved. */
void segment_free(struct heap *h, const struct segment *s);

/* --- nodes: map_segmented.c and map_merge.c -------------------------------------------------*/

#ifdef CAIRN_GC_STRESS
#define NODE_BITS_MAX 3 /* deep trees */
#else
#define NODE_BITS_MAX 8
#endif

/* Where a hash leads: a slot of the lowest node on its way. */
struct location {
    value *owner;  /* the slot that refers to the node */
    value *slots;  /* the node's: [segment, node or number][values] each */
    unsigned bits; /* the node's */
    unsigned above; /* hash bits used up by the nodes above */
    size_t slot;   /* the first of those that share what is there */
    value segment; /* or VALUE_NIL */
    value *parent_owner, *parent_slots; /* of the node above; NULL at the top */
    unsigned parent_bits;
};
struct location locate(const struct heap *h, value *owner, uint64_t hash);
static inline value *location_pair(const struct location *at) { return &at->slots[2 * at->slot]; }
static inline struct segment location_segment(const struct heap *h, const struct location *at)
{
    return segment_open(h, at->segment, location_pair(at)[1]);
}
/* Points the `count` slots from `slot` on to one segment, or to none. */
void slots_set(struct heap *h, value *slots, size_t slot, size_t count, value segment,
               value values);
warn_unused value node_new(struct heap *h, unsigned bits);
unsigned node_bits(const struct heap *h, value node);
/* Opens the segment where `hash` leads, with room for an entry of `size` bytes, without its access
 * state, and so many words in its values. 0 or -ENOMEM. */
warn_unused int segment_ready(struct heap *h, value *body, const struct segmented_plan *plan,
                              uint64_t hash, size_t size, size_t words, struct segment *s);
/* Gives access state to the entries where `hash` leads, or takes it away. They may stay without for
 * want of room: then there are fewer of them now, and it is to be tried again. 0 or -ENOMEM, and
 * then nothing is changed. */
warn_unused int segment_convert(struct heap *h, value *body, uint64_t hash, bool accessed);
/* An entry that was found; valid until the next change. */
struct found {
    struct location at;
    struct segment s;
    struct packed_key k;
    int slot;
    struct entry e;
};
bool entry_find(const struct heap *h, value *body, const struct map_key *key, struct found *f);
/* After something was removed where `hash` leads: gives memory back where that is due. */
void segmented_shrink(struct heap *h, value *body, uint64_t hash);

#endif
