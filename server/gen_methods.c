/* gen_methods.c - writes docs/methods.md from method_list.h to standard output. */
#include <stdio.h>
#include <string.h>

#include "server/method_list.h"

static const struct group {
    const char *title;
    struct method methods[32]; /* up to the one without a name */
} groups[] = {
#define X(name, params, result, min, max, flags, handler, help) \
    {name, params, result, min, max, flags, NULL, help},
#define G(title, methods) {title, {methods(X)}},
    METHOD_GROUPS(G)
#undef G
#undef X
};

/* Text in Markdown, with what would be markup escaped. */
static void print_text(const char *text)
{
    for (; *text != 0; text++) {
        if (strchr("*_[]<>|\\", *text) != NULL) putchar('\\');
        putchar(*text);
    }
}

static void print_method(const struct method *m)
{
    printf("### %s\n\n    %s(%s) -> %s\n\n", m->name, m->name, m->params, m->result);
    print_text(m->help);
    printf(".%s%s\n\n", m->flags & METHOD_WRITE ? " *Changes data.*" : "",
           m->flags & METHOD_LONG ? " *Runs in steps between other requests.*" : "");
}

int main(void)
{
    fputs("# Methods\n\n"
          "This page is made from `server/method_list.h` by `gen_methods`; change it there.\n\n"
          "Parameters are positional; those in brackets may be left out, or be nil. `opts` is a\n"
          "map whose options follow the colon. The result stands after the arrow.\n\n"
          "A *path* is a key (a string or bytes), or an array of a key and segments: keys of maps\n"
          "and indices of lists and tables, negative ones from the end; behind the index of a row\n"
          "the name of a column. A handle may stand for the key: the map `{\"handle\": n}`, or\n"
          "extension type 2. Weak references on the way are followed.\n\n"
          "A *cursor* is an integer; 0 begins, and 0 as `next` says that all is seen. Whatever\n"
          "was there throughout comes up at least once.\n\n"
          "An error is the string `\"CODE message\"`, or, with structured errors, the map\n"
          "`{code, message}`. The codes:\n\n",
          stdout);
#define X(code, meaning) printf("* `%s`: %s\n", #code, meaning);
    SERVER_ERRORS(X)
#undef X
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        printf("\n## %s\n\n", groups[g].title);
        for (const struct method *m = groups[g].methods; m->name != NULL; m++) print_method(m);
    }
    return 0;
}
