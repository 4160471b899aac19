/* Browsers' upload forms and their policies. The input is a policy, a 0 byte, and a form with the
 * boundary "b". */
#include "cloud/s3/post_policy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_form(const struct post_form *form, size_t size)
{
    if (form->field_count > POST_MAX_FIELDS || (form->has_file && form->file_offset > size))
        abort();
    for (size_t i = 0; i < form->field_count; i++)
        if (!form->fields[i].name || !form->fields[i].value)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    const uint8_t *body = zero ? zero + 1 : data;
    size_t body_size = size - (size_t)(body - data);
    struct post_limits limits;
    struct err err = {0};
    struct arena arena;
    struct post_form *form = calloc(1, sizeof *form);
    arena_init(&arena, 16 << 20);
    if (form && !post_form_boundary("multipart/form-data; boundary=b", form))
        abort();
    if (form && post_form_read(form, &arena, (const char *)body, body_size, &err) == 0) {
        const struct post_request request = {form, "bucket", 1000000};
        check_form(form, body_size);
        post_policy_check((const char *)data, zero ? (size_t)(zero - data) : 0, &request, &limits,
                          &err);
    } else if (err.code == ERR_NONE) {
        abort(); /* a failure without a cause */
    }
    arena_finish(&arena);
    free(form);
    return 0;
}
