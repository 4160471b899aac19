#include "base/clock.h"
#include "cloud/errors.h"
#include "cloud/wire.h"

#include <string.h>

/* Answers from JSON to XML. */

struct writer {
    struct buf *out;
    const struct wire *wire;
};

static void write_value(const struct writer *w, const json_t *json, int is_time);

static const struct wire_name *find_member(const struct wire *wire, const char *member)
{
    for (size_t i = 0; i < wire->service->name_count; i++) {
        const struct wire_name *name = &wire->service->names[i];
        if (strcmp(name->member, member) == 0 &&
            (!name->operation || strcmp(name->operation, wire->operation) == 0))
            return name;
    }
    return NULL;
}

static void write_flat_list(const struct writer *w, const char *element, const json_t *list)
{
    size_t i;
    json_t *value;
    json_array_foreach(list, i, value)
    {
        buf_printf(w->out, "<%s>", element);
        write_value(w, value, 0);
        buf_printf(w->out, "</%s>", element);
    }
}

static void write_pair(const struct writer *w, const char *names[2], const char *key,
                       const json_t *value)
{
    buf_printf(w->out, "<%s>", names[0]);
    error_xml_escape(w->out, key);
    buf_printf(w->out, "</%s><%s>", names[0], names[1]);
    write_value(w, value, 0);
    buf_printf(w->out, "</%s>", names[1]);
}

static void write_map(const struct writer *w, const struct wire_name *name, const json_t *map)
{
    const char *key, *element = name->kind == WIRE_ENTRY ? "entry" : name->element;
    const char *names[2] = {name->kind == WIRE_ENTRY        ? "key"
                            : name->kind == WIRE_NAME_VALUE ? "Name"
                                                            : "Key",
                            name->kind == WIRE_ENTRY ? "value" : "Value"};
    json_t *value;
    if (name->kind == WIRE_ENTRY)
        buf_printf(w->out, "<%s>", name->element);
    json_object_foreach((json_t *)map, key, value)
    {
        buf_printf(w->out, "<%s>", element);
        write_pair(w, names, key, value);
        buf_printf(w->out, "</%s>", element);
    }
    if (name->kind == WIRE_ENTRY)
        buf_printf(w->out, "</%s>", name->element);
}

static void write_members(const struct writer *w, const json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        const struct wire_name *name = find_member(w->wire, key);
        if (name && json_is_object(value)) {
            write_map(w, name, value);
        } else if (name && name->kind == WIRE_LIST && json_is_array(value)) {
            write_flat_list(w, name->element, value);
        } else {
            buf_printf(w->out, "<%s>", key);
            write_value(w, value, wire_is_time(w->wire->service, key));
            buf_printf(w->out, "</%s>", key);
        }
    }
}

static void write_number(const struct writer *w, const json_t *json, int is_time)
{
    char time[CLOCK_TEXT_BYTES];
    if (is_time) {
        clock_text((int64_t)(json_number_value(json) * 1000), time);
        buf_puts(w->out, time);
    } else if (json_is_real(json)) {
        buf_printf(w->out, "%.17g", json_real_value(json));
    } else {
        buf_printf(w->out, "%lld", (long long)json_integer_value(json));
    }
}

static void write_value(const struct writer *w, const json_t *json, int is_time)
{
    size_t i;
    json_t *element;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        write_members(w, json);
        break;
    case JSON_ARRAY:
        json_array_foreach(json, i, element)
        {
            buf_puts(w->out, "<member>");
            write_value(w, element, is_time);
            buf_puts(w->out, "</member>");
        }
        break;
    case JSON_STRING:
        error_xml_escape(w->out, json_string_value(json));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        write_number(w, json, is_time);
        break;
    default:
        buf_puts(w->out, json_is_true(json) ? "true" : json_is_false(json) ? "false" : "");
    }
}

void wire_write_xml(struct exchange *x, const struct wire *wire, const json_t *answer,
                    struct buf *out)
{
    struct writer writer = {out, wire};
    buf_printf(out, "<?xml version=\"1.0\"?><%sResponse xmlns=\"%s\">", wire->operation,
               wire->service->name_space);
    if (json_object_size(answer)) {
        buf_printf(out, "<%sResult>", wire->operation);
        write_members(&writer, answer);
        buf_printf(out, "</%sResult>", wire->operation);
    } else {
        buf_printf(out, "<%sResult/>", wire->operation);
    }
    buf_printf(out, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>",
               x->request_id, wire->operation);
}
