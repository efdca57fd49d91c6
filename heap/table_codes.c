/* table_codes.c - which different lanes or texts a chunk has, for its dictionary.
 *
 * One open hash table that stops being filled at a limit; hashes are keyed, so that nobody can
 * choose lanes that collide. */
#include "heap/table_int.h"

struct code_map *code_map_new(struct table *t, bool texts, uint32_t limit)
{
    uint32_t capacity = 64;
    while (capacity < limit * 2) capacity *= 2;
    size_t entry = texts ? sizeof(struct table_text) : sizeof(uint64_t);
    size_t bytes = sizeof(struct code_map) + limit * entry + capacity * sizeof(uint32_t) +
                   TABLE_CHUNK_ROWS * sizeof(uint16_t);
    struct code_map *m = external_alloc(&t->external, bytes);
    if (!m) return NULL;
    memset(m, 0, bytes);
    *m = (struct code_map){.capacity = capacity, .limit = limit, .bytes = bytes};
    m->key = t->external.heap->hash_key[0] | 1;
    unsigned char *next = (unsigned char *)(m + 1);
    if (texts)
        m->texts = (struct table_text *)(void *)next;
    else
        m->lanes = (uint64_t *)(void *)next;
    next += limit * entry;
    m->slots = (uint32_t *)(void *)next;
    m->codes = (uint16_t *)(void *)(next + capacity * sizeof(uint32_t));
    return m;
}

void code_map_destroy(struct table *t, struct code_map *m)
{
    if (m) external_free(&t->external, m, m->bytes);
}

static uint64_t hash_lane(const struct code_map *m, uint64_t lane)
{
    unsigned __int128 product = (unsigned __int128)(lane ^ m->key) * (m->key ^ 0x9e3779b97f4a7c15);
    uint64_t hash = (uint64_t)product ^ (uint64_t)(product >> 64);
    return hash ^ hash >> 29;
}

bool code_map_lane(struct code_map *m, uint32_t row, uint64_t lane)
{
    uint32_t mask = m->capacity - 1;
    for (uint32_t i = (uint32_t)hash_lane(m, lane) & mask;; i = (i + 1) & mask) {
        if (m->slots[i] == 0) {
            if (m->count == m->limit) return false;
            m->lanes[m->count] = lane;
            m->slots[i] = ++m->count;
        } else if (m->lanes[m->slots[i] - 1] != lane) {
            continue;
        }
        m->codes[row] = (uint16_t)(m->slots[i] - 1);
        return true;
    }
}

bool code_map_text(struct code_map *m, const struct heap *h, uint32_t row, struct table_text text)
{
    uint32_t mask = m->capacity - 1;
    for (uint32_t i = (uint32_t)heap_hash(h, text.data, text.length) & mask;; i = (i + 1) & mask) {
        if (m->slots[i] == 0) {
            if (m->count == m->limit) return false;
            m->texts[m->count] = text;
            m->text_bytes += text.length;
            m->slots[i] = ++m->count;
        } else if (text_bytes_compare(m->texts[m->slots[i] - 1], text) != 0) {
            continue;
        }
        m->codes[row] = (uint16_t)(m->slots[i] - 1);
        return true;
    }
}
