#include "aws/form.h"

#include "aws/uri.h"
#include "base/buf.h"

#include <string.h>

enum { FIELD_ARENA_BYTES = 2 * AWS_FORM_MAX_BYTES };

static void put_field(struct buf *out, const struct aws_form_field *field)
{
    struct arena arena;
    arena_init(&arena, FIELD_ARENA_BYTES);
    const char *value = uri_encode(&arena, field->value, strlen(field->value), "");
    buf_printf(out, "&%s=", field->name);
    if (!value || buf_puts(out, value) < 0)
        out->failed = 1;
    arena_finish(&arena);
}

int aws_form_send(struct aws_client *client, const struct aws_form *form, struct err *err)
{
    static const struct http_header type = {"Content-Type",
                                            "application/x-www-form-urlencoded; charset=utf-8"};
    struct buf body;
    buf_init(&body, AWS_FORM_MAX_BYTES);
    buf_printf(&body, "Action=%s&Version=%s", form->action, form->version);
    for (const struct aws_form_field *field = form->fields; field->name; field++)
        if (field->value)
            put_field(&body, field);
    struct aws_request request = {.service = form->service,
                                  .operation = form->action,
                                  .method = "POST",
                                  .headers = &type,
                                  .header_count = 1,
                                  .body = body.data,
                                  .body_bytes = body.size};
    int done = body.failed ? err_set(err, ERR_TOO_BIG, "%s: the request is too long", form->action)
                           : aws_client_send(client, &request, aws_client_scratch(client), err);
    buf_finish(&body);
    return done;
}
