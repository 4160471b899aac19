#include "cloud/dynamodb/page.h"

#include <string.h>

/* Scan, also in segments: ranges of the keys' hashes. */

static struct key segment_key(struct request *r, uint64_t segment, uint64_t total)
{
    uint64_t first = ((segment << 32) + total - 1) / total;
    unsigned char *data = arena_alloc(r->arena, 4, 1);
    if (!data || first >> 32)
        return (struct key){NULL, 0};
    for (int i = 0; i < 4; i++)
        data[i] = (unsigned char)(first >> (24 - 8 * i));
    return (struct key){data, 4};
}

static int set_segment(struct request *r, struct page *page)
{
    int64_t segment = 0, total = 1;
    int has_segment, has_total;
    if (param_integer(r, "Segment", &segment, &has_segment) < 0 ||
        param_integer(r, "TotalSegments", &total, &has_total) < 0)
        return -1;
    if (has_segment && !has_total)
        return err_set(&r->err, ERR_INVALID,
                       "The TotalSegments parameter is required but was not present in the request "
                       "when Segment parameter is present");
    if (has_total && !has_segment)
        return err_set(&r->err, ERR_INVALID,
                       "The Segment parameter is required but was not present in the request when "
                       "parameter TotalSegments is present");
    if (!has_total)
        return 0;
    if (segment >= total)
        return err_set(&r->err, ERR_INVALID,
                       "The Segment parameter is zero-based and must be less than parameter "
                       "TotalSegments: Segment: %lld is not less than TotalSegments: %lld",
                       (long long)segment, (long long)total);
    page->low = segment_key(r, (uint64_t)segment, (uint64_t)total);
    page->high = segment_key(r, (uint64_t)segment + 1, (uint64_t)total);
    return 0;
}

int scan(struct request *r)
{
    struct page page = {0};
    const char *name;
    if (param_table_name(r, NULL, &name) < 0 ||
        page_begin(r, &page, USES_FILTER | USES_PROJECTION) < 0 || set_segment(r, &page) < 0 ||
        page_read(r, &page, USES_FILTER | USES_PROJECTION) < 0)
        return -1;
    struct table *table = request_find_table(r, name);
    if (!table)
        return -1;
    page.table = table;
    int result = page_check(r, &page);
    if (result == 0)
        result = page_start(r, &page, 0);
    if (result == 0)
        result = page_answer(r, &page);
    table_release(table);
    return result;
}
