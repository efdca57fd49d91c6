/* query_memory.c - what a query holds: counted against the heap's limit and its own, and freed in
 * steps, since a sort of a million rows must not be given back in one go.
 *
 * Every block is in a list of the query, so that a failure anywhere needs no cleaning up:
 * query_destroy lets the query go, and heap_drop_step takes the list apart. */
#include "heap/query_index.h"

#include <stdio.h>
#include <stdlib.h>

#include "heap/text.h"

struct query_memory {
    struct query_memory *previous, *next;
    size_t bytes;
    _Alignas(16) unsigned char data[];
};

/* --- errors ------------------------------------------------------------------------------------*/

int query_fault_errno(enum query_fault fault)
{
    static const int errors[] = {
        0,
#define X(name, error) error,
        QUERY_FAULTS(X)
#undef X
    };
    return -errors[fault];
}

int query_fail(struct query *q, enum query_fault fault, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    q->error.fault = fault;
    vsnprintf(q->error.text, sizeof q->error.text, format, arguments);
    va_end(arguments);
    return query_fault_errno(fault);
}

int query_fail_memory(struct query *q)
{
    /* What query_alloc said about the query's own limit is more exact. */
    if (q->error.fault == QUERY_FAULT_LIMIT) return -E2BIG;
    return query_fail(q, QUERY_FAULT_MEMORY, "there is no memory left for this query");
}

/* --- blocks ------------------------------------------------------------------------------------*/

void *query_alloc(struct query *q, size_t bytes)
{
    size_t total = sizeof(struct query_memory) + bytes;
    if (total > q->memory_max || q->external.bytes > q->memory_max - total) {
        query_fail(q, QUERY_FAULT_LIMIT,
                   "this query needs more than its limit of %zu bytes of memory", q->memory_max);
        return NULL;
    }
    struct query_memory *m = NULL;
    if (external_add(&q->external, total) == 0) {
        m = calloc(1, total);
        if (!m) external_subtract(&q->external, total);
    }
    if (!m) {
        query_fail(q, QUERY_FAULT_MEMORY, "there is no memory left for this query");
        return NULL;
    }
    m->bytes = total;
    m->next = q->memory;
    if (q->memory) q->memory->previous = m;
    q->memory = m;
    if (q->external.bytes > q->memory_peak) q->memory_peak = q->external.bytes;
    return m->data;
}

static struct query_memory *memory_of(void *data)
{
    return (struct query_memory *)(void *)((unsigned char *)data -
                                           offsetof(struct query_memory, data));
}

int query_charge(struct query *q, size_t bytes)
{
    if (bytes > q->memory_max || q->external.bytes > q->memory_max - bytes)
        return query_fail(q, QUERY_FAULT_LIMIT,
                          "this needs a buffer of %zu bytes more, and with it more than the limit "
                          "of %zu bytes of memory (table-query-memory)", bytes, q->memory_max);
    if (external_add(&q->external, bytes) != 0) return query_fail_memory(q);
    q->charged += bytes;
    if (q->external.bytes > q->memory_peak) q->memory_peak = q->external.bytes;
    return 0;
}

void query_refund(struct query *q, size_t bytes)
{
    assert(bytes <= q->charged);
    q->charged -= bytes;
    external_subtract(&q->external, bytes);
}

void query_charge_failed(struct query *q, size_t bytes)
{
    query_refund(q, bytes);
    query_fail(q, QUERY_FAULT_MEMORY, "there is no memory left for this query");
}

void *query_keep(struct query *q, size_t bytes) { return query_alloc(q, bytes); }

const struct query_error *query_error_last(const struct query *q) { return &q->error; }

void query_free(struct query *q, void *data)
{
    if (!data) return;
    struct query_memory *m = memory_of(data);
    if (m->previous)
        m->previous->next = m->next;
    else
        q->memory = m->next;
    if (m->next) m->next->previous = m->previous;
    external_free(&q->external, m, m->bytes);
}

int query_grow(struct query *q, void *array, uint32_t count, uint32_t *capacity, size_t item_bytes)
{
    void *old, *bigger;
    if (count < *capacity) return 0;
    memcpy(&old, array, sizeof old);
    uint32_t wanted = *capacity ? *capacity * 2 : 16;
    bigger = query_alloc(q, wanted * item_bytes);
    if (!bigger) return query_fail_memory(q);
    if (old) memcpy(bigger, old, count * item_bytes);
    query_free(q, old);
    memcpy(array, &bigger, sizeof bigger);
    *capacity = wanted;
    return 0;
}

int query_copy_text(struct query *q, const void *data, size_t length, struct table_text *copy)
{
    char *bytes = query_alloc(q, length + 1); /* never NULL, also if it is empty */
    if (!bytes) return query_fail_memory(q);
    if (length) memcpy(bytes, data, length);
    *copy = (struct table_text){.data = bytes, .length = length};
    return 0;
}

int query_copy_value_text(struct query *q, value v, struct table_text *copy)
{
    size_t length = text_length(q->heap, v);
    char *bytes = query_alloc(q, length + 1);
    if (!bytes) return query_fail_memory(q);
    text_copy(q->heap, v, 0, bytes, length);
    *copy = (struct table_text){.data = bytes, .length = length};
    return 0;
}

/* --- arrays in blocks --------------------------------------------------------------------------*/

void array_init(struct query_array *a, size_t item_bytes, unsigned shift)
{
    *a = (struct query_array){.item_bytes = (uint32_t)item_bytes, .shift = shift};
}

int array_push(struct query *q, struct query_array *a)
{
    uint64_t block = a->count >> a->shift;
    if (block == a->block_count) {
        int error = query_grow(q, &a->blocks, a->block_count, &a->block_capacity,
                               sizeof *a->blocks);
        if (error) return error;
        a->blocks[block] = query_alloc(q, (size_t)a->item_bytes << a->shift);
        if (!a->blocks[block]) return query_fail_memory(q);
        a->block_count++;
    }
    a->count++;
    return 0;
}

/* --- life --------------------------------------------------------------------------------------*/

static size_t query_free_step(struct external *e, size_t words, bool *done)
{
    struct query *q = (struct query *)e;
    size_t work = 0;
    while (q->memory && work < words) {
        work += external_free_words(q->memory->bytes);
        query_free(q, q->memory->data);
    }
    if (q->memory) return work;
    external_subtract(e, sizeof *q);
    *done = true;
    return work + 1;
}

static int query_verify(const struct external *e, char *message, size_t size)
{
    const struct query *q = (const struct query *)e;
    size_t bytes = sizeof *q + q->charged;
    for (const struct query_memory *m = q->memory; m; m = m->next) bytes += m->bytes;
    if (bytes == e->bytes) return 0;
    snprintf(message, size, "a query counts %zu bytes and holds %zu", e->bytes, bytes);
    return -EINVAL;
}

static const struct external_class query_class = {
    .name = "query", .free_step = query_free_step, .verify = query_verify};

int query_new(struct heap *h, struct table_version *version, size_t memory_max,
              struct query **query, struct query_error *error)
{
    struct query *q = calloc(1, sizeof *q);
    if (q) {
        q->external = (struct external){.class = &query_class, .heap = h};
        if (external_add(&q->external, sizeof *q) != 0) {
            free(q);
            q = NULL;
        }
    }
    if (!q) {
        *error = (struct query_error){.fault = QUERY_FAULT_MEMORY,
                                      .text = "there is no memory left for this query"};
        return -ENOMEM;
    }
    external_open(&q->external);
    q->heap = h;
    q->version = version;
    q->table = table_version_table(version);
    q->memory_max = memory_max ? memory_max : QUERY_MEMORY_DEFAULT;
    q->limit = UINT64_MAX;
    *query = q;
    return 0;
}

/* The lists that were held. */
static void lists_close(struct query *q)
{
    if (q->list_count) root_frame_close(q->heap, &q->frame);
    q->list_count = q->list_next = 0;
}

int query_new_failed(struct query *q, int status, struct query_error *error)
{
    *error = q->error;
    lists_close(q);
    external_let_go(&q->external);
    return status;
}

int query_prepare(struct query *q, uint64_t budget_ns, struct query_error *error)
{
    uint64_t now = clock_ns();
    uint64_t deadline = budget_ns < UINT64_MAX - now ? now + budget_ns : UINT64_MAX;
    if (q->prepared) return QUERY_END;
    if (q->list_count) root_frame_touch(q->heap, &q->frame);
    int status = q->failed;
    while (!status && q->list_next < q->list_count) {
        status = query_list_work(q);
        if (!status && clock_ns() >= deadline) return QUERY_BUSY;
    }
    if (!status) {
        lists_close(q);
        q->prepared = true;
        status = query_index_plan(q);
    }
    if (status) *error = q->error;
    q->failed = status;
    return status;
}

int query_compiled(struct query *q)
{
    return q->list_count ? 0 : query_prepare(q, UINT64_MAX, &q->error);
}

void query_destroy(struct query *q)
{
    assert(q->charged == 0);
    lists_close(q);
    table_unpin(q->version);
    q->version = NULL;
    external_let_go(&q->external);
}
