/* cli_table_format.c - names and first bytes of files; see cli_table_format.h. */
#include "client/cli_table_format.h"

#include <string.h>
#include <strings.h>

/* So much of a file tells whether it is a text. */
#define LOOK_BYTES ((size_t)4096)

static const char *const formats[] = {"csv", "json", "jsonl", "arrow", "npy", NULL};

const char *table_format_of_word(const char *word, bool *tabs)
{
    static const char *const other[][2] = {
        {"ndjson", "jsonl"}, {"tsv", "csv"}, {"tab", "csv"}, {"arrows", "arrow"}};
    *tabs = strcasecmp(word, "tsv") == 0 || strcasecmp(word, "tab") == 0;
    for (size_t i = 0; formats[i]; i++)
        if (strcasecmp(word, formats[i]) == 0) return formats[i];
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (strcasecmp(word, other[i][0]) == 0) return other[i][1];
    return NULL;
}

const char *table_format_of_name(const char *file, bool *tabs)
{
    const char *name = strrchr(file, '/'), *dot = strrchr(name ? name : file, '.');
    *tabs = false;
    return dot ? table_format_of_word(dot + 1, tabs) : NULL;
}

const char *table_format_of_bytes(const char *data, size_t length)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t at = length >= 3 && memcmp(data, mark, 3) == 0 ? 3 : 0;
    if (length >= 6 && memcmp(data, "ARROW1", 6) == 0) return "arrow";
    if (length >= 4 && memcmp(data, "\xff\xff\xff\xff", 4) == 0) return "arrow";
    if (length >= 6 && memcmp(data, "\x93NUMPY", 6) == 0) return "npy";
    while (at < length && data[at] && strchr(" \t\r\n", data[at])) at++;
    return at < length && (data[at] == '{' || data[at] == '[') ? "json" : "csv";
}

/* --- what is none of the formats ----------------------------------------------------------*/

/* Of those that are letters there are enough that no header of CSV begins so. */
const char *table_foreign_kind(const char *data, size_t length)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *what;
    } kinds[] = {
        {"\x1f\x8b", 2, "gzip; gunzip -c FILE | cairn-cli table create NAME - reads it"},
        {"\x28\xb5\x2f\xfd", 4, "zstd; zstd -dc FILE | cairn-cli table create NAME - reads it"},
        {"\xfd" "7zXZ", 5, "xz; xz -dc FILE | cairn-cli table create NAME - reads it"},
        {"PAR1\x15", 5, "Parquet; DuckDB, for one, makes CSV of it"},
        {"PK\x03\x04", 4, "a zip archive, or a spreadsheet: save it as CSV"},
        {"\xd0\xcf\x11\xe0", 4, "an old spreadsheet: save it as CSV"},
        {"\xff\xfe", 2, "UTF-16; iconv -f UTF-16 -t UTF-8 makes it readable"},
        {"\xfe\xff", 2, "UTF-16; iconv -f UTF-16 -t UTF-8 makes it readable"},
        {"SQLite format 3", 16, "a database of SQLite; sqlite3 -header -csv makes CSV of it"},
        {"\x89PNG", 4, "a picture (PNG)"},
        {"GIF8", 4, "a picture (GIF)"},
        {"\xff\xd8\xff", 3, "a picture (JPEG)"},
        {"%PDF-", 5, "PDF"},
        {"\x89HDF", 4, "HDF5"},
        {"Obj\x01", 4, "Avro"},
        {"\x7f" "ELF", 4, "a program"},
    };
    if (length >= 10 && memcmp(data, "BZh", 3) == 0 && memcmp(data + 4, "1AY&SY", 6) == 0)
        return "bzip2; bzip2 -dc FILE | cairn-cli table create NAME - reads it";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (length >= kinds[i].length && memcmp(data, kinds[i].bytes, kinds[i].length) == 0)
            return kinds[i].what;
    return NULL;
}

bool table_is_binary(const char *data, size_t length)
{
    size_t controls = 0;
    if (length > LOOK_BYTES) length = LOOK_BYTES;
    for (size_t i = 0; i < length; i++)
        controls += (unsigned char)data[i] < 32 && (!data[i] || !strchr("\t\n\r\f\033", data[i]));
    return controls > length / 32;
}

char table_other_delimiter(const char *data, size_t length)
{
    static const char signs[] = ";\t|";
    size_t counts[sizeof signs] = {0}, commas = 0, best = 0;
    bool quoted = false;
    for (size_t i = 0; i < length && (quoted || data[i] != '\n'); i++) {
        if (data[i] == '"') quoted = !quoted;
        if (quoted || !data[i]) continue;
        commas += data[i] == ',';
        const char *sign = strchr(signs, data[i]);
        if (sign) counts[sign - signs]++;
    }
    for (size_t i = 1; i < sizeof signs - 1; i++)
        if (counts[i] > counts[best]) best = i;
    return commas == 0 && counts[best] > 0 ? signs[best] : 0;
}
