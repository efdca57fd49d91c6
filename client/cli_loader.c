/* cli_loader.c - stores records on the server, many at a time; see cli_loader.h. */
#include "client/cli_loader.h"

#include <inttypes.h>
#include <string.h>

#include "client/cli_path.h"

/* Bytes of requests under way, and of one batch for a list. */
#define BYTES_MAX ((size_t)4 << 20)
#define BATCH_BYTES ((size_t)128 << 10)
#define BATCH_RECORDS 256

bool cli_loader_init(struct cli_loader *l, struct cli *cli)
{
    l->cli = cli;
    l->status = CLI_OK;
    bool done = (l->batch.args = cairn_args_create()) != NULL;
    for (size_t i = 0; i < CLI_LOADER_WINDOW && done; i++)
        done = (l->slots[i].args = cairn_args_create()) != NULL;
    return done;
}

void cli_loader_close(struct cli_loader *l)
{
    for (size_t i = 0; i < CLI_LOADER_WINDOW; i++) {
        cairn_args_destroy(l->slots[i].args);
        cli_text_close(&l->slots[i].key);
    }
    cairn_args_destroy(l->batch.args);
}

/* --- replies ----------------------------------------------------------------------------*/

static void describe(const struct loader_slot *slot, char *text, size_t size)
{
    if (slot->records > 1)
        snprintf(text, size, "records %" PRIu64 " to %" PRIu64 " (up to line %" PRIu64 ")",
                 slot->number, slot->number + slot->records - 1, slot->line);
    else if (slot->key.length > 0)
        snprintf(text, size, "record %" PRIu64 " (line %" PRIu64 "), key %.100s", slot->number,
                 slot->line, slot->key.data);
    else
        snprintf(text, size, "record %" PRIu64 " (line %" PRIu64 ")", slot->number, slot->line);
}

/* Only the first error of the server is told; those behind it most often have the same cause. */
static void fail(struct cli_loader *l, int status)
{
    l->failed = true;
    if (l->status == CLI_OK) l->status = status;
}

static void fail_reply(struct cli_loader *l, const struct loader_slot *slot)
{
    char text[256];
    describe(slot, text, sizeof text);
    if (!l->failed) fail(l, cli_report(l->cli, text));
}

static void fail_duplicate(struct cli_loader *l, const struct loader_slot *slot)
{
    char text[256];
    describe(slot, text, sizeof text);
    if (!l->failed) fail(l, cli_error(CLI_DATA, "%s: the key is there already", text));
}

static bool submit(struct cli_loader *l, struct loader_slot *slot);

/* The slot at the front has been refused for its key: it goes to the back, without condition. */
static void store_again(struct cli_loader *l, struct loader_slot *slot)
{
    struct loader_slot *back = &l->slots[(l->first + l->count) % CLI_LOADER_WINDOW];
    if (slot != back) {
        struct loader_slot other = *back;
        *back = *slot;
        *slot = other;
    }
    back->again = true;
    cairn_args_pop(back->args);
    submit(l, back);
}

/* Waits for the oldest reply. False if the connection is gone. */
static bool receive(struct cli_loader *l)
{
    struct loader_slot *slot = &l->slots[l->first];
    struct cairn_reply *reply;
    enum cairn_status status = cairn_receive(l->cli->cairn, &reply);
    l->first = (l->first + 1) % CLI_LOADER_WINDOW;
    l->count--;
    l->bytes -= slot->bytes;
    if (status != CAIRN_OK) {
        fail_reply(l, slot);
        if (status != CAIRN_SERVER) l->count = 0;
        return status == CAIRN_SERVER;
    }
    bool is_stored = l->into || cairn_bool(cairn_reply_result(reply), false);
    cairn_reply_destroy(reply);
    if (is_stored) {
        l->stored += slot->records;
        l->replaced += slot->again;
    } else if (l->refuse_duplicates || slot->again) {
        fail_duplicate(l, slot);
    } else if (!l->failed) {
        store_again(l, slot);
    }
    return true;
}

/* --- requests ---------------------------------------------------------------------------*/

/* Sends the slot behind the last one. */
static bool submit(struct cli_loader *l, struct loader_slot *slot)
{
    cairn_args_bytes(slot->args, &slot->bytes);
    if (cairn_send(l->cli->cairn, l->into ? "push" : "set", slot->args) != CAIRN_OK) {
        fail_reply(l, slot);
        return false;
    }
    l->count++;
    l->bytes += slot->bytes;
    return true;
}

/* Waits until one more request may be sent. */
static bool make_room(struct cli_loader *l)
{
    while (l->count == CLI_LOADER_WINDOW || (l->count > 0 && l->bytes > BYTES_MAX))
        if (!receive(l)) return false;
    return !l->failed;
}

static struct loader_slot *next_slot(struct cli_loader *l)
{
    struct loader_slot *slot = &l->slots[(l->first + l->count) % CLI_LOADER_WINDOW];
    cairn_args_clear(slot->args);
    cli_text_clear(&slot->key);
    slot->again = false;
    return slot;
}

static bool put_key(struct cli_loader *l, const struct cli_text *key,
                    const struct cairn_args *value, uint64_t number, uint64_t line)
{
    struct loader_slot *slot = next_slot(l);
    slot->number = number;
    slot->line = line;
    slot->records = 1;
    cli_text_add(&slot->key, key->data, key->length);
    cli_path_key(slot->args, key->data ? key->data : "", key->length);
    cairn_args_append(slot->args, value);
    cairn_args_map_open(slot->args);
    cairn_args_cstr(slot->args, "if");
    cairn_args_cstr(slot->args, "absent");
    cairn_args_map_close(slot->args);
    return submit(l, slot);
}

/* Sends what has been gathered for the list. */
static bool send_batch(struct cli_loader *l)
{
    struct cli_json_error error;
    if (l->batch.records == 0) return true;
    if (!make_room(l)) return false;
    struct loader_slot *slot = next_slot(l);
    slot->number = l->batch.number;
    slot->line = l->batch.line;
    slot->records = l->batch.records;
    if (!cli_path_parse(slot->args, l->into, strlen(l->into), &error)) {
        fail(l, cli_error(CLI_USAGE, "--into %s: at byte %zu: %s", l->into, error.offset + 1,
                          error.text));
        return false;
    }
    cairn_args_array_open(slot->args);
    cairn_args_append(slot->args, l->batch.args);
    cairn_args_array_close(slot->args);
    cairn_args_map_open(slot->args);
    cairn_args_cstr(slot->args, "create");
    cairn_args_bool(slot->args, true);
    cairn_args_map_close(slot->args);
    cairn_args_clear(l->batch.args);
    l->batch.records = 0;
    return submit(l, slot);
}

bool cli_loader_put(struct cli_loader *l, const struct cli_text *key,
                    const struct cairn_args *value, uint64_t number, uint64_t line)
{
    if (!l->into) return make_room(l) && put_key(l, key, value, number, line);
    size_t bytes;
    if (l->batch.records == 0) l->batch.number = number;
    l->batch.line = line;
    l->batch.records++;
    cairn_args_append(l->batch.args, value);
    cairn_args_bytes(l->batch.args, &bytes);
    return (bytes < BATCH_BYTES && l->batch.records < BATCH_RECORDS) || send_batch(l);
}

bool cli_loader_finish(struct cli_loader *l)
{
    if (!l->failed) send_batch(l);
    while (l->count > 0 && receive(l)) continue;
    return l->status == CLI_OK;
}
