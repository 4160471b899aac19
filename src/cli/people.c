#include "cli/enrol.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/verbs.h"

#include "aws/attribute.h"
#include "aws/dynamodb.h"
#include "base/file.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_BYTES ((size_t)256 * 1024 * 1024)

static const char details[] =
    "records, kept in the table of the cloud:\n"
    "  import FILE   store the records of a JSON file: [{\"name\": \"..\", ...}, ...], or\n"
    "                {\"NAME\": {...}, ...}. Any members are kept, numbers with all their digits.\n"
    "  list          show all records\n"
    "  get NAME      show one\n"
    "  delete NAME   remove one\n\n"
    "faces, kept in the gallery (--gallery, else $KEN_GALLERY, else gallery.ken):\n"
    "  enrol NAME PHOTO...   add photos of a person, who is new or known\n"
    "  forget NAME           remove the person's templates for good\n"
    "  rename OLD NEW        give the person another name\n"
    "  enrolled              show who is enrolled; so does list with --gallery\n\n"
    "examples:\n"
    "  ken people import demo/people.json\n"
    "  ken people get person-a --json\n"
    "  ken people enrol ada door-1.jpg door-2.jpg\n"
    "  ken people list --gallery gallery.ken";

struct people {
    const char *table;
    int json;
    struct aws_client *client;
    size_t count;
};

/* ---- import ---- */

/* Records on their way into the table, a batch at a time. */
struct batch {
    struct people *people;
    struct buf typed[DYNAMODB_BATCH];
    size_t count;
};

static int flush(struct batch *batch, struct err *err)
{
    const char *items[DYNAMODB_BATCH];
    for (size_t i = 0; i < batch->count; i++)
        items[i] = batch->typed[i].data;
    if (batch->count && aws_dynamodb_put_batch(batch->people->client, batch->people->table, items,
                                               batch->count, err) < 0)
        return err_wrap(err, "table %s", batch->people->table);
    batch->people->count += batch->count;
    for (size_t i = 0; i < batch->count; i++)
        buf_finish(&batch->typed[i]);
    batch->count = 0;
    return 0;
}

/* Two records of one name in a batch are refused by the service, so they go one after the other. */
static int add(struct batch *batch, const char *text, size_t size, struct err *err)
{
    struct buf *typed = &batch->typed[batch->count];
    buf_init(typed, 4 * ATTRIBUTE_MAX_ITEM_BYTES);
    if (attribute_from_plain(text, size, typed, err) < 0) {
        buf_finish(typed);
        return -1;
    }
    batch->count++;
    return batch->count == DYNAMODB_BATCH ? flush(batch, err) : 0;
}

/* The end of the JSON value at `at`, in text known to be well-formed. */
static const char *value_end(const char *at)
{
    int depth = 0;
    for (;; at++) {
        if (*at == '"') {
            for (at++; *at != '"'; at++)
                at += *at == '\\';
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            depth--;
        }
        if (depth == 0)
            return at + 1;
    }
}

static const char *skip(const char *at)
{
    return at + strspn(at, " \t\r\n,:");
}

static int check_name(const json_t *record, size_t index, struct err *err)
{
    const char *name = json_string_value(json_object_get(record, "name"));
    if (!json_is_object(record))
        return err_set(err, ERR_INVALID, "record %zu is no JSON object", index + 1);
    if (!name || !*name)
        return err_set(err, ERR_INVALID, "record %zu has no \"name\"", index + 1);
    return 0;
}

static int check_list(const json_t *list, struct err *err)
{
    size_t index;
    const json_t *record;
    json_t *seen = json_object();
    int done = 0;
    json_array_foreach(list, index, record)
    {
        done = check_name(record, index, err);
        if (done < 0)
            break;
        const char *name = json_string_value(json_object_get(record, "name"));
        if (json_object_get(seen, name)) {
            done =
                err_set(err, ERR_INVALID, "record %zu: \"%.100s\" is there twice", index + 1, name);
            break;
        }
        json_object_set_new(seen, name, json_true());
    }
    json_decref(seen);
    return done;
}

static int import_list(struct batch *batch, const json_t *list, const char *text, struct err *err)
{
    if (check_list(list, err) < 0)
        return -1;
    const char *at = skip(strchr(text, '[') + 1);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *end = value_end(at);
        if (add(batch, at, (size_t)(end - at), err) < 0)
            return err_wrap(err, "record %zu", i + 1);
        at = skip(end);
    }
    return flush(batch, err);
}

static int check_map(const json_t *map, struct err *err)
{
    const char *name;
    const json_t *record;
    json_object_foreach((json_t *)(uintptr_t)map, name, record)
    {
        const json_t *own = json_object_get(record, "name");
        if (!json_is_object(record) || !*name)
            return err_set(err, ERR_INVALID, "\"%.100s\" is no JSON object with a name", name);
        if (own && (!json_is_string(own) || strcmp(json_string_value(own), name) != 0))
            return err_set(err, ERR_INVALID, "\"%.100s\" has another \"name\" inside", name);
    }
    return 0;
}

/* {"NAME": {...}}: the name becomes a member. */
static int import_map(struct batch *batch, const json_t *map, const char *text, struct err *err)
{
    if (check_map(map, err) < 0)
        return -1;
    const char *at = skip(strchr(text, '{') + 1);
    for (size_t i = 0; i < json_object_size(map); i++) {
        const char *name = at, *name_end = value_end(at), *record = skip(name_end);
        const char *end = value_end(record), *first = skip(record + 1);
        json_t *parsed = json_loadb(record, (size_t)(end - record), JSON_DECODE_INT_AS_REAL, NULL);
        int has_name = json_object_get(parsed, "name") != NULL;
        json_decref(parsed);
        struct buf whole;
        buf_init(&whole, 2 * ATTRIBUTE_MAX_ITEM_BYTES);
        if (has_name)
            buf_append(&whole, record, (size_t)(end - record));
        else
            buf_printf(&whole, "{\"name\":%.*s%s%.*s", (int)(name_end - name), name,
                       *first == '}' ? "" : ",", (int)(end - first), first);
        int done = whole.failed ? err_set(err, ERR_TOO_BIG, "it is larger than 400 KiB")
                                : add(batch, whole.data, whole.size, err);
        buf_finish(&whole);
        if (done < 0)
            return err_wrap(err, "record %zu", i + 1);
        at = skip(end);
    }
    return flush(batch, err);
}

static int import_text(struct people *people, const struct buf *text, struct err *err)
{
    struct batch batch = {.people = people};
    json_error_t problem;
    json_t *root = json_loadb(text->data ? text->data : "", text->size,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &problem);
    int done;
    if (json_is_array(root))
        done = import_list(&batch, root, text->data, err);
    else if (json_is_object(root))
        done = import_map(&batch, root, text->data, err);
    else if (root)
        done = err_set(err, ERR_INVALID, "it is neither a list nor an object");
    else
        done = err_set(err, ERR_INVALID, "line %d: %s", problem.line, problem.text);
    for (size_t i = 0; i < batch.count; i++)
        buf_finish(&batch.typed[i]);
    json_decref(root);
    return done;
}

static int import(struct people *people, const char *file, struct err *err)
{
    struct buf text;
    buf_init(&text, MAX_FILE_BYTES);
    int done = file_read(file, &text, err);
    if (done == 0 && import_text(people, &text, err) < 0)
        done = err_wrap(err, "import %s", file);
    buf_finish(&text);
    if (done == 0 && people->json)
        printf("{\"table\": \"%s\", \"imported\": %zu}\n", people->table, people->count);
    else if (done == 0)
        printf("%zu record%s in table %s\n", people->count, people->count == 1 ? "" : "s",
               people->table);
    return done;
}

/* ---- list, get, delete ---- */

static int print_item(void *context, const json_t *item, struct err *err)
{
    struct people *people = context;
    struct buf plain;
    buf_init(&plain, 4 * ATTRIBUTE_MAX_ITEM_BYTES);
    int done = attribute_to_plain(item, &plain, err);
    if (done == 0 && people->json)
        printf("%s%s", people->count ? ",\n " : "{\"people\": [", plain.data);
    else if (done == 0)
        printf("%s\n", plain.data);
    people->count++;
    buf_finish(&plain);
    return done;
}

static int list(struct people *people, const char *unused, struct err *err)
{
    (void)unused;
    struct aws_dynamodb_reader reader = {print_item, people};
    if (aws_dynamodb_scan(people->client, people->table, &reader, err) < 0)
        return err_wrap(err, "table %s", people->table);
    if (people->json)
        printf("%s]}\n", people->count ? "" : "{\"people\": [");
    return 0;
}

static int get(struct people *people, const char *name, struct err *err)
{
    struct buf plain;
    buf_init(&plain, 4 * ATTRIBUTE_MAX_ITEM_BYTES);
    int found = aws_dynamodb_get_item(people->client, people->table, "name", name, &plain, err);
    if (found == 1)
        printf("%s\n", plain.data);
    buf_finish(&plain);
    if (found < 0)
        return err_wrap(err, "table %s", people->table);
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "%s: there is no record in table %s", name,
                       people->table);
    return 0;
}

static int remove_record(struct people *people, const char *name, struct err *err)
{
    int gone = aws_dynamodb_delete_item(people->client, people->table, "name", name, err);
    if (gone < 0)
        return err_wrap(err, "table %s", people->table);
    if (gone == 0)
        return err_set(err, ERR_NOT_FOUND, "%s: there is no record in table %s", name,
                       people->table);
    if (people->json)
        printf("{\"deleted\": 1}\n");
    else
        printf("%s deleted from table %s\n", name, people->table);
    return 0;
}

/* On the records in the cloud's table, or on the gallery here. */
struct action {
    const char *name;
    int least, most; /* operands behind the name */
    const char *wants;
    int (*run)(struct people *people, const char *operand, struct err *err);
    int (*run_here)(const struct enrolment *enrolment, int count, char **operands, struct err *err);
};

static const struct action actions[] = {
    {"import", 1, 1, "one FILE", import, NULL},
    {"list", 0, 0, "no argument", list, enrol_list}, /* here with --gallery */
    {"get", 1, 1, "one NAME", get, NULL},
    {"delete", 1, 1, "one NAME", remove_record, NULL},
    {"enrol", 2, INT_MAX, "a NAME and photos", NULL, enrol_photos},
    {"forget", 1, 1, "one NAME", NULL, enrol_forget},
    {"rename", 2, 2, "the OLD name and the NEW one", NULL, enrol_rename},
    {"enrolled", 0, 0, "no argument", NULL, enrol_list},
};

static const struct action *find_action(int count, char **operands, struct err *err)
{
    for (size_t i = 0; count > 0 && i < sizeof actions / sizeof *actions; i++) {
        const struct action *action = &actions[i];
        if (strcmp(operands[0], action->name) != 0)
            continue;
        if (count - 1 >= action->least && count - 1 <= action->most)
            return action;
        err_set(err, ERR_INVALID, "%s: takes %s (see ken people --help)", action->name,
                action->wants);
        return NULL;
    }
    err_set(err, ERR_INVALID,
            "%s: not import, list, get, delete, enrol, forget, rename or enrolled (see ken people "
            "--help)",
            count > 0 ? operands[0] : "nothing to do");
    return NULL;
}

static int run(struct people *people, const struct action *action, const char *operand,
               struct err *err)
{
    struct aws_config config;
    if (aws_config_load(&config, err) < 0)
        return -1;
    people->client = aws_client_create(&config, err);
    explicit_bzero(&config, sizeof config);
    if (!people->client)
        return -1;
    int done = action->run(people, operand, err);
    aws_client_destroy(people->client);
    return done;
}

int verb_people(int argc, char **argv)
{
    struct people people = {.table = "ken-people"};
    struct enrolment enrolment = {0};
    const struct option_spec options[] = {
        {"gallery", 'g', OPTION_TEXT, &enrolment.gallery, "FILE",
         "gallery of enrolled people (default: $KEN_GALLERY, else gallery.ken)", 0, 0},
        {"models", 0, OPTION_TEXT, &enrolment.models, "DIR", PATHS_MODELS_HELP, 0, 0},
        {"table", 0, OPTION_TEXT, &people.table, "NAME", "table of records (default ken-people)", 0,
         0},
        {"json", 0, OPTION_FLAG, &people.json, NULL, "print JSON", 0, 0},
        {0},
    };
    const struct command_line line = {"people",
                                      "Keep the records of people, and their faces in a gallery.",
                                      "ACTION [ARGUMENT...]", details, options};
    struct err err = {0};
    int first, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    const struct action *action = find_action(argc - first, argv + first, &err);
    if (!action) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    int count = argc - first - 1, done;
    enrolment.json = people.json;
    if (action->run_here && (!action->run || enrolment.gallery))
        done = action->run_here(&enrolment, count, argv + first + 1, &err);
    else
        done = run(&people, action, count ? argv[first + 1] : NULL, &err);
    return done < 0 ? options_fail(&line, &err) : EXIT_OK;
}
