#include "cloud/dynamodb/definition.h"
#include "cloud/dynamodb/worker.h"

#include <stdio.h>
#include <string.h>

/* UpdateTimeToLive and DescribeTimeToLive. */

int describe_time_to_live(struct request *r)
{
    struct table *table = request_table(r);
    if (!table)
        return -1;
    buf_printf(&r->out, "{\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"%s\"",
               !table->ttl_name         ? "DISABLED"
               : table->ttl_backfilling ? "ENABLING"
                                        : "ENABLED");
    if (table->ttl_name) {
        buf_puts(&r->out, ",\"AttributeName\":");
        json_write_string(&r->out, table->ttl_name, strlen(table->ttl_name));
    }
    table_release(table);
    return buf_puts(&r->out, "}}");
}

struct ttl_change {
    const struct table *table;
    int enable;
};

static int run_change(struct connection *connection, void *context, struct err *err)
{
    const struct ttl_change *change = context;
    char sql[TABLE_SQL_BYTES];
    long long id = (long long)change->table->id;
    if (change->enable)
        snprintf(sql, sizeof sql,
                 "CREATE TABLE x%lld_%d(key BLOB PRIMARY KEY, base BLOB NOT NULL) WITHOUT ROWID",
                 id, TABLE_TTL_NUMBER);
    else
        snprintf(sql, sizeof sql, "DROP TABLE x%lld_%d", id, TABLE_TTL_NUMBER);
    return connection_exec(connection, sql, err);
}

static int check_change(struct request *r, const struct table *table, int enable, const char *name)
{
    if (enable && table->ttl_name && !strcmp(table->ttl_name, name))
        return err_set(&r->err, ERR_INVALID, "TimeToLive is already enabled");
    if (!enable && !table->ttl_name)
        return err_set(&r->err, ERR_INVALID, "TimeToLive is already disabled");
    if (table->ttl_name && strcmp(table->ttl_name, name))
        return err_set(&r->err, ERR_INVALID,
                       "TimeToLive is active on a different AttributeName: current AttributeName "
                       "is %.255s",
                       table->ttl_name);
    return 0;
}

static int change_ttl(struct request *r, struct table *table, int enable, const char *name)
{
    struct ttl_change change = {table, enable};
    if (check_change(r, table, enable, name) < 0)
        return -1;
    json_t *definition = json_deep_copy(table->definition);
    if (enable)
        json_object_set_new(definition, "ken:ttl",
                            json_pack("{s:s,s:b}", "AttributeName", name, "Backfilling", 1));
    else
        json_object_del(definition, "ken:ttl");
    struct table *changed =
        table_replace(r->service, table, definition, run_change, &change, &r->err);
    table_release(changed);
    return changed ? 0 : -1;
}

static int update_alone(struct request *r)
{
    const json_t *wanted = json_object_get(r->body, "TimeToLiveSpecification");
    const char *name = json_string_value(json_object_get(wanted, "AttributeName"));
    int enable = json_is_true(json_object_get(wanted, "Enabled"));
    struct table *table = request_table(r);
    if (!table)
        return -1;
    int result = change_ttl(r, table, enable, name);
    table_release(table);
    if (result < 0)
        return -1;
    worker_wake(r->service->worker);
    buf_printf(&r->out, "{\"TimeToLiveSpecification\":{\"Enabled\":%s,\"AttributeName\":",
               enable ? "true" : "false");
    json_write_string(&r->out, name, strlen(name));
    return buf_puts(&r->out, "}}");
}

int update_time_to_live(struct request *r)
{
    return change_alone(r, update_alone);
}
