/* map_packed.c - entries of packed segments: see map_packed.h for the layout.
 *
 * Workload: millions of small entries, most of them read or replaced by a value of the same size.
 * A look-up touches a line of the index and the entry; nothing here allocates. */
#include "heap/map_packed.h"

/* --- layout ---------------------------------------------------------------------------------*/

value segment_new(struct heap *h, unsigned depth, bool accessed, size_t content, size_t entries)
{
    size_t least = segment_bytes(content, entries), bytes = least + least / 32;
    assert(least <= SEGMENT_BYTES_MAX);
    if (bytes < SEGMENT_BYTES_MIN) bytes = SEGMENT_BYTES_MIN;
    if (bytes > SEGMENT_BYTES_MAX) bytes = SEGMENT_BYTES_MAX;
    bytes = heap_cell_bytes(bytes);
    value cell = cell_take(h, KIND_MAP_SEGMENT, bytes, 0);
    if (cell == VALUE_ABSENT) return cell;
    /* As many slots as entries of this average size can need. */
    size_t average = entries ? (content + entries - 1) / entries : 8;
    size_t fitting = (bytes - sizeof(struct segment_head)) * 2 / (2 * average + 5);
    size_t slots = index_slots(fitting > entries ? fitting : entries);
    size_t room = bytes - sizeof(struct segment_head) - 2 * slots;
    if (room + sizeof(struct segment_head) + 2 * slots > bytes || room < content) {
        slots = index_slots(entries);
        room = bytes - sizeof(struct segment_head) - 2 * slots;
    }
    struct segment_head *head = store_raw(h, cell);
    *head = (struct segment_head){.slots = (uint16_t)slots,
                                  .room = (uint16_t)room,
                                  .depth = (uint8_t)depth,
                                  .accessed = accessed};
    memset(head + 1, 0, 2 * slots);
    return ref_make(KIND_MAP_SEGMENT, ref_granule(cell),
                    (uint32_t)(slots | (accessed ? SEGMENT_REF_ACCESSED : 0)));
}

bool segment_has_room(const struct segment *s, size_t bytes)
{
    return s->head->end + segment_access_bytes(s) + bytes <= s->head->room &&
           s->head->live + s->head->removed < index_entries(s->slots);
}

/* --- reading entries ------------------------------------------------------------------------*/

static size_t key_bytes(enum packed_key_type type, const unsigned char *key)
{
    switch (type) {
    case KEY_STRING:
    case KEY_BYTES: return 1 + (size_t)key[0];
    case KEY_WORD: return 8;
    case KEY_CELL: return 2;
    default: return 1 + type - KEY_INT1;
    }
}

static size_t value_bytes(enum packed_value_type type, const unsigned char *v)
{
    switch (type) {
    case PACKED_NIL:
    case PACKED_FALSE:
    case PACKED_TRUE: return 0;
    case PACKED_STRING:
    case PACKED_BYTES: return 1 + (size_t)v[0];
    case PACKED_REF: return 2;
    case PACKED_WORD: return 8;
    default: return 1 + type - PACKED_INT1;
    }
}

static size_t meta_bytes(const struct segment *s, unsigned char tag)
{
    return segment_access_bytes(s) + (tag & TAG_EXPIRES ? EXPIRES_BYTES : 0);
}

struct entry entry_open(const struct segment *s, size_t offset)
{
    struct entry e = {.at = s->entries + offset};
    e.key_type = e.at[0] >> 4 & 7;
    e.type = e.at[0] & 15;
    e.key = e.at + 1 + meta_bytes(s, e.at[0]);
    e.v = e.key + key_bytes(e.key_type, e.key);
    e.size = (size_t)(e.v - e.at) + value_bytes(e.type, e.v);
    return e;
}

static unsigned word_number(const unsigned char *at)
{
    uint16_t number;
    memcpy(&number, at, sizeof number);
    return number;
}

unsigned entry_key_word(const struct entry *e)
{
    return e->key_type == KEY_CELL ? word_number(e->key) : 0;
}

unsigned entry_value_word(const struct entry *e)
{
    return e->type == PACKED_REF ? word_number(e->v) : 0;
}

static value word_read(const unsigned char *at)
{
    value v;
    memcpy(&v, at, sizeof v);
    return v;
}

/* An integer of `bytes` bytes, its sign the top bit. */
static value int_read(const unsigned char *at, size_t bytes)
{
    uint64_t bits = 0;
    memcpy(&bits, at, bytes);
    unsigned shift = 64 - 8 * (unsigned)bytes;
    return value_int((int64_t)(bits << shift) >> shift);
}

static value text_read(const struct heap *h, const unsigned char *at, bool is_bytes)
{
    if (at[0] <= VALUE_INLINE_TEXT_MAX) return value_inline_text(at + 1, at[0], is_bytes);
    return value_view((uint64_t)(at - h->base), is_bytes);
}

value entry_key(const struct heap *h, const struct segment *s, const struct entry *e)
{
    switch (e->key_type) {
    case KEY_STRING: return text_read(h, e->key, false);
    case KEY_BYTES: return text_read(h, e->key, true);
    case KEY_WORD: return word_read(e->key);
    case KEY_CELL: return *values_word(h, s->values, word_number(e->key));
    default: return int_read(e->key, 1 + e->key_type - KEY_INT1);
    }
}

value entry_value(const struct heap *h, const struct segment *s, const struct entry *e)
{
    switch (e->type) {
    case PACKED_NIL: return VALUE_NIL;
    case PACKED_FALSE: return VALUE_FALSE;
    case PACKED_TRUE: return VALUE_TRUE;
    case PACKED_STRING: return text_read(h, e->v, false);
    case PACKED_BYTES: return text_read(h, e->v, true);
    case PACKED_REF: return *values_word(h, s->values, word_number(e->v));
    case PACKED_WORD: return word_read(e->v);
    default: return int_read(e->v, 1 + e->type - PACKED_INT1);
    }
}

uint64_t entry_hash(const struct heap *h, const struct segment *s, const struct entry *e)
{
    if (e->key_type <= KEY_BYTES && e->key[0] > VALUE_INLINE_TEXT_MAX)
        return heap_hash(h, e->key + 1, e->key[0]);
    return map_key_hash(h, entry_key(h, s, e));
}

/* --- packing --------------------------------------------------------------------------------*/

/* The bytes that hold the integer with its sign. */
static size_t int_bytes(int64_t i)
{
    uint64_t magnitude = (uint64_t)(i < 0 ? ~i : i);
    size_t bits = 65 - (magnitude ? (size_t)__builtin_clzl(magnitude) : 64);
    return (bits + 7) / 8;
}

void packed_key_make(struct packed_key *k, const struct map_key *key)
{
    value word = key->word;
    if (word == VALUE_ABSENT) {
        bool packs = key->kind == KIND_STRING && key->length <= PACKED_TEXT_MAX;
        k->type = packs ? KEY_STRING : KEY_CELL;
        k->data = key->data;
        k->length = key->length;
    } else if (value_is_inline_text(word)) {
        k->type = KEY_STRING;
        k->length = value_inline_length(word);
        word >>= 8;
        memcpy(k->bytes, &word, sizeof word);
        k->data = k->bytes;
    } else {
        int64_t i = value_to_int(word);
        k->type = KEY_WORD;
        k->length = sizeof word;
        if (value_is_int(word) && int_bytes(i) <= 4) {
            k->length = int_bytes(i);
            k->type = (enum packed_key_type)(KEY_INT1 + k->length - 1);
            word = (value)i;
        }
        memcpy(k->bytes, &word, sizeof word);
    }
}

void packed_value_make_with(struct heap *h, struct packed_value *p, value v, bool shared_too)
{
    p->v = v;
    p->size = 0;
    if (value_is_int(v) && int_bytes(value_to_int(v)) <= 7) {
        int64_t i = value_to_int(v);
        p->size = int_bytes(i);
        p->type = (enum packed_value_type)(PACKED_INT1 + p->size - 1);
        memcpy(p->bytes, &i, sizeof i);
    } else if (v == VALUE_NIL) {
        p->type = PACKED_NIL;
    } else if (value_is_bool(v)) {
        p->type = v == VALUE_TRUE ? PACKED_TRUE : PACKED_FALSE;
    } else if (value_is_inline_text(v)) {
        value text = v >> 8;
        p->type = value_inline_is_bytes(v) ? PACKED_BYTES : PACKED_STRING;
        p->size = 1 + value_inline_length(v);
        memcpy(p->bytes, &text, sizeof text);
        p->data = p->bytes;
    } else if ((value_is_kind(v, KIND_STRING) || value_is_kind(v, KIND_BYTES)) &&
               text_length(h, v) <= PACKED_TEXT_MAX && (shared_too || !value_is_shared(h, v))) {
        struct text_scratch scratch; /* not used: it is a cell */
        const char *data;
        p->type = value_is_kind(v, KIND_BYTES) ? PACKED_BYTES : PACKED_STRING;
        p->size = 1 + text_piece(h, v, 0, &data, &scratch);
        p->data = data;
    } else if (value_is_ref(v)) {
        p->type = PACKED_REF;
        p->size = 2;
    } else {
        debug_assert(!value_is_view(v));
        p->type = PACKED_WORD;
        p->size = sizeof v;
        memcpy(p->bytes, &v, sizeof v);
    }
}

void packed_value_write(unsigned char *at, const struct packed_value *p, unsigned word)
{
    uint16_t number = (uint16_t)word;
    if (p->type == PACKED_REF) {
        memcpy(at, &number, sizeof number);
    } else if (p->type == PACKED_STRING || p->type == PACKED_BYTES) {
        at[0] = (unsigned char)(p->size - 1);
        memcpy(at + 1, p->data, p->size - 1);
    } else {
        memcpy(at, p->bytes, p->size);
    }
}

/* --- the index ------------------------------------------------------------------------------*/

/* Nodes use up hash bits from the top; these are the lowest. */
static size_t hash_home(const struct segment *s, uint64_t hash)
{
    return (hash >> 4 & 0xffff) * s->slots >> 16;
}
static unsigned hash_tag(uint64_t hash) { return hash & 15; }

static bool entry_is(const struct heap *h, const struct segment *s, size_t offset,
                     const struct map_key *key, const struct packed_key *k)
{
    const unsigned char *at = s->entries + offset;
    enum packed_key_type type = at[0] >> 4 & 7;
    at += 1 + meta_bytes(s, at[0]);
    if (k->type == KEY_STRING)
        return type <= KEY_BYTES && at[0] == k->length && memcmp(at + 1, k->data, k->length) == 0;
    if (type != k->type) return false;
    if (type == KEY_CELL) return map_key_is(h, *values_word(h, s->values, word_number(at)), key);
    return memcmp(at, k->bytes, k->length) == 0;
}

int segment_find(const struct heap *h, const struct segment *s, const struct map_key *key,
                 const struct packed_key *k)
{
    unsigned tag = hash_tag(key->hash);
    for (size_t i = hash_home(s, key->hash);;) { /* some slots are always free */
        unsigned slot = s->index[i];
        if (slot == INDEX_FREE) return -1;
        if (slot >> 12 == tag && slot != INDEX_REMOVED &&
            entry_is(h, s, (slot & INDEX_OFFSET) - 1, key, k))
            return (int)i;
        if (++i == s->slots) i = 0;
    }
}

static void index_insert(struct segment *s, uint64_t hash, size_t offset)
{
    size_t i = hash_home(s, hash);
    while (slot_is_live(s, i))
        if (++i == s->slots) i = 0;
    s->head->removed -= s->index[i] == INDEX_REMOVED;
    s->index[i] = (uint16_t)(hash_tag(hash) << 12 | (offset + 1));
}

/* --- changing -------------------------------------------------------------------------------*/

/* Takes `bytes` at the end of the entries. */
static unsigned char *segment_extend(struct segment *s, size_t bytes)
{
    unsigned char *at = s->entries + s->head->end;
    assert(s->head->end + bytes <= s->head->room);
    s->head->end = (uint16_t)(s->head->end + bytes);
    return at;
}

unsigned char *segment_append(struct segment *s, uint64_t hash, const struct packed_key *k,
                              unsigned key_word, enum packed_value_type type, size_t value_size)
{
    size_t meta = segment_access_bytes(s);
    unsigned char *at = segment_extend(s, 1 + meta + packed_key_size(k) + value_size);
    enum packed_key_type key_type = k->type;
    index_insert(s, hash, (size_t)(at - s->entries));
    s->head->live++;
    if (key_type == KEY_STRING && !utf8_valid(k->data, k->length)) key_type = KEY_BYTES;
    *at++ = (unsigned char)(key_type << 4 | type);
    memset(at, 0, meta);
    at += meta;
    if (key_type <= KEY_BYTES) {
        *at++ = (unsigned char)k->length;
        memcpy(at, k->data, k->length);
        return at + k->length;
    }
    uint16_t number = (uint16_t)key_word;
    memcpy(at, key_type == KEY_CELL ? (const void *)&number : k->bytes, packed_key_size(k));
    return at + packed_key_size(k);
}

unsigned char *segment_copy(struct segment *s, const struct segment *from, const struct entry *e,
                            uint64_t hash)
{
    size_t access = segment_access_bytes(s), old = segment_access_bytes(from);
    unsigned char *at = segment_extend(s, e->size + access - old);
    if (access == old) {
        memcpy(at, e->at, e->size);
    } else {
        at[0] = e->at[0];
        memset(at + 1, 0, access);
        memcpy(at + 1 + access, e->at + 1 + old, e->size - 1 - old);
    }
    index_insert(s, hash, (size_t)(at - s->entries));
    s->head->live++;
    return at;
}

void entry_set_type(struct entry *e, enum packed_value_type type)
{
    e->at[0] = (unsigned char)((e->at[0] & 0xf0) | type);
    e->type = type;
}

unsigned char *segment_relocate(struct segment *s, size_t slot, size_t size)
{
    struct entry old = slot_entry(s, slot);
    unsigned char *at = segment_extend(s, size);
    s->index[slot] = (uint16_t)((s->index[slot] & ~INDEX_OFFSET) | (at - s->entries + 1));
    s->head->dead = (uint16_t)(s->head->dead + old.size);
    return at;
}

unsigned char *segment_replace(struct segment *s, size_t slot, enum packed_value_type type,
                               size_t value_size)
{
    struct entry old = slot_entry(s, slot);
    size_t kept = (size_t)(old.v - old.at);
    unsigned char *at = segment_relocate(s, slot, kept + value_size);
    memcpy(at, old.at, kept);
    at[0] = (unsigned char)((at[0] & 0xf0) | type);
    return at + kept;
}

void segment_remove(struct segment *s, size_t slot)
{
    struct entry e = slot_entry(s, slot);
    size_t next = slot + 1 == s->slots ? 0 : slot + 1;
    s->head->dead = (uint16_t)(s->head->dead + e.size);
    s->head->live--;
    s->index[slot] = INDEX_REMOVED;
    s->head->removed++;
    if (s->index[next] != INDEX_FREE) return;
    /* It and the removed ones before it end no probe too early. */
    while (s->index[slot] == INDEX_REMOVED) {
        s->index[slot] = INDEX_FREE;
        s->head->removed--;
        slot = slot == 0 ? s->slots - 1 : slot - 1;
    }
}
