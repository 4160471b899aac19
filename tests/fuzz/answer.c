#include "edge/answer.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever a gateway sends: an answer has its two texts, and its stages are numbers that add up to
 * the round trip. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct answer answer;
    double stage_ms[STAGE_COUNT], sum_ms = 0;
    if (answer_parse(&answer, (const char *)data, size, &err) < 0)
        return 0;
    if (!answer.key || (!answer.response && !answer.error))
        abort();
    answer_verdict(&answer, "person-a");
    answer_stages(&answer, 1000, 20, stage_ms);
    for (int i = STAGE_gateway_and_queue; i <= STAGE_way_back; i++)
        sum_ms += isnan(stage_ms[i]) ? 0 : stage_ms[i];
    if (stage_ms[STAGE_function_other] < 0 || sum_ms < 20 - 1e-6)
        abort();
    answer_finish(&answer);
    return 0;
}
