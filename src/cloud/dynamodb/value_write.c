#include "cloud/dynamodb/value.h"

#include <string.h>

/* From values to DynamoDB's JSON. */

void json_write_string(struct buf *out, const char *text, size_t size)
{
    size_t plain = 0;
    buf_append(out, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_append(out, text + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\')
            buf_append(out, (char[]){'\\', (char)c}, 2);
        else
            buf_printf(out, "\\u%04x", c);
    }
    buf_append(out, text + plain, size - plain);
    buf_append(out, "\"", 1);
}

static void write_base64(struct buf *out, const char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *bytes = (const unsigned char *)data;
    buf_append(out, "\"", 1);
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? bytes[i + 2] : 0);
        char text[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        left > 1 ? digits[bits >> 6 & 63] : '=',
                        left > 2 ? digits[bits & 63] : '='};
        buf_append(out, text, 4);
    }
    buf_append(out, "\"", 1);
}

static void write_scalar(struct buf *out, const struct value *value)
{
    if (value->type == VALUE_S) {
        json_write_string(out, value->bytes.data, value->bytes.size);
    } else if (value->type == VALUE_B) {
        write_base64(out, value->bytes.data, value->bytes.size);
    } else {
        char text[NUMBER_TEXT_BYTES + 2];
        size_t size = number_format(&value->number, text + 1);
        text[0] = text[size + 1] = '"';
        buf_append(out, text, size + 2);
    }
}

static void write_list(struct buf *out, const struct value *value)
{
    buf_append(out, "[", 1);
    for (size_t i = 0; i < value->list.count; i++) {
        if (i)
            buf_append(out, ",", 1);
        if (value->type == VALUE_L)
            value_write(out, &value->list.items[i]);
        else
            write_scalar(out, &value->list.items[i]);
    }
    buf_append(out, "]", 1);
}

void item_write(struct buf *out, const struct value *item)
{
    buf_append(out, "{", 1);
    for (size_t i = 0; i < item->map.count; i++) {
        const struct member *member = &item->map.members[i];
        if (i)
            buf_append(out, ",", 1);
        json_write_string(out, member->name, strlen(member->name));
        buf_append(out, ":", 1);
        value_write(out, &member->value);
    }
    buf_append(out, "}", 1);
}

void value_write(struct buf *out, const struct value *value)
{
    buf_append(out, "{\"", 2);
    buf_puts(out, value_type_name(value->type));
    buf_append(out, "\":", 2);
    switch (value->type) {
    case VALUE_S:
    case VALUE_N:
    case VALUE_B:
        write_scalar(out, value);
        break;
    case VALUE_BOOL:
    case VALUE_NULL:
        buf_puts(out, value->boolean ? "true" : "false");
        break;
    case VALUE_M:
        item_write(out, value);
        break;
    default:
        write_list(out, value);
    }
    buf_append(out, "}", 1);
}
