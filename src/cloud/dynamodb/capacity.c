#include "cloud/dynamodb/request.h"

#include <string.h>

/* What requests consume: counted as AWS counts, never limited. */

int param_capacity(struct request *r, enum capacity_detail *out)
{
    static const char *const values[] = {"NONE", "TOTAL", "INDEXES", NULL};
    int choice;
    if (param_choice(r, "ReturnConsumedCapacity", values, &choice) < 0)
        return -1;
    *out = (enum capacity_detail)choice;
    return 0;
}

double read_units(size_t bytes, int consistent)
{
    double units = (double)((bytes + 4095) / 4096);
    units = units < 1 ? 1 : units;
    return consistent ? units : units / 2;
}

double write_units(size_t bytes)
{
    double units = (double)((bytes + 1023) / 1024);
    return units < 1 ? 1 : units;
}

void usage_add_write(struct usage *usage, const struct write *w, double factor)
{
    usage->table_units +=
        write_units(w->old_size > w->new_size ? w->old_size : w->new_size) * factor;
    for (size_t i = 0; i < w->table->index_count; i++)
        usage->index_units[i] += w->index_units[i] * factor;
}

static void write_units_of(struct request *r, const struct usage *usage, double units)
{
    buf_printf(&r->out, "\"CapacityUnits\":%.1f", units);
    if (usage->split)
        buf_printf(&r->out, ",\"%sCapacityUnits\":%.1f", usage->split, units);
}

/* Indexes that cost nothing are not named. */
static void write_index_usage(struct request *r, const struct usage *usage, int global)
{
    int shown = 0;
    for (size_t i = 0; i < usage->table->index_count; i++) {
        const struct table_index *index = &usage->table->indexes[i];
        if (index->global != global || usage->index_units[i] <= 0)
            continue;
        if (shown++)
            buf_puts(&r->out, ",");
        else
            buf_printf(&r->out, ",\"%sSecondaryIndexes\":{", global ? "Global" : "Local");
        json_write_string(&r->out, index->name, strlen(index->name));
        buf_puts(&r->out, ":{");
        write_units_of(r, usage, usage->index_units[i]);
        buf_puts(&r->out, "}");
    }
    buf_puts(&r->out, shown ? "}" : "");
}

void usage_write(struct request *r, enum capacity_detail detail, const struct usage *usage)
{
    double total = usage->table_units;
    for (size_t i = 0; i < usage->table->index_count; i++)
        total += usage->index_units[i];
    buf_puts(&r->out, "{\"TableName\":");
    json_write_string(&r->out, usage->table->name, strlen(usage->table->name));
    buf_puts(&r->out, ",");
    write_units_of(r, usage, total);
    if (detail == CAPACITY_INDEXES) {
        buf_puts(&r->out, ",\"Table\":{");
        write_units_of(r, usage, usage->table_units);
        buf_puts(&r->out, "}");
        write_index_usage(r, usage, 0);
        write_index_usage(r, usage, 1);
    }
    buf_puts(&r->out, "}");
}

int collection_counts(const struct table *table)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (!table->indexes[i].global)
            return 1;
    return 0;
}

void collection_write(struct request *r, const struct write *w)
{
    const char *name = w->table->keys.parts[0].name;
    buf_puts(&r->out, "{\"ItemCollectionKey\":{");
    json_write_string(&r->out, name, strlen(name));
    buf_puts(&r->out, ":");
    value_write(&r->out, value_member(&w->item, name));
    buf_puts(&r->out, "},\"SizeEstimateRangeGB\":[0.0,1.0]}");
}
