#include "cloud/cloudwatch/expression.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COUNT = 5 };
static double values[COUNT] = {1, NAN, -2.5, 0, 1e300};

static int find(void *context, const char *id, struct math_value *out, struct err *err)
{
    static struct math_series series = {values, COUNT, 60, 60, "m", 1},
                              other = {values, COUNT - 1, 0, 300, "o", 0};
    (void)context;
    if (*id != 'm' && *id != 'o')
        return err_set(err, ERR_INVALID, "there is no %.8s", id);
    *out = (struct math_value){
        .kind = MATH_SERIES, .series = *id == 'm' ? &series : &other, .count = 1};
    return 0;
}

static int list(void *context, const char *part, struct math_value *out, struct err *err)
{
    static struct math_series both[] = {{values, COUNT, 60, 60, "a", 1},
                                        {values, COUNT, 60, 60, "b", 1}};
    (void)context;
    (void)err;
    *out = (struct math_value){.kind = MATH_LIST, .series = both, .count = *part ? 1 : 2};
    return 0;
}

static int frame(void *context, struct math_series *out, struct err *err)
{
    (void)context;
    (void)err;
    *out = (struct math_series){.count = COUNT, .start_s = 60, .period_s = 60, .label = ""};
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[MATH_MAX_EXPRESSION + 2];
    struct arena arena;
    struct math_value value;
    struct err err;
    size = size < sizeof text ? size : sizeof text - 1;
    memcpy(text, data, size);
    text[size] = 0;
    arena_init(&arena, MATH_MAX_BYTES);
    struct math math = {.arena = &arena, .now_s = 300, .find = find, .list = list, .frame = frame};
    if (math_evaluate(&math, text, &value, &err) == 0)
        for (size_t i = 0; i < value.count; i++)
            if (isinf(value.series[i].values[0]))
                __builtin_trap();
    arena_finish(&arena);
    return 0;
}
