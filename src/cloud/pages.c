#include "cloud/pages.h"

#include "base/buf.h"
#include "cloud/cloud.h"

#include <string.h>

enum { MAX_PAGE_BYTES = 256 * 1024 };

static void health(const struct pages *pages, struct exchange *x)
{
    const struct cloud *cloud = pages->cloud;
    struct buf body;
    buf_init(&body, MAX_PAGE_BYTES);
    buf_puts(&body, "{\"status\": \"ok\", \"version\": \"" KEN_VERSION "\", \"services\": [");
    for (size_t i = 0; i < cloud->service_count; i++)
        buf_printf(&body, "%s\"%s\"", i ? ", " : "", cloud->services[i].name);
    buf_puts(&body, "]}\n");
    exchange_respond(x, 200, "application/json", body.data, body.size);
    buf_finish(&body);
}

static void metrics(const struct pages *pages, struct exchange *x)
{
    const struct cloud *cloud = pages->cloud;
    const char *names[TRAFFIC_MAX_SERVICES] = {0};
    struct buf body;
    buf_init(&body, MAX_PAGE_BYTES);
    for (size_t i = 0; i < cloud->service_count; i++)
        names[i] = cloud->services[i].name;
    names[TRAFFIC_MAX_SERVICES - 1] = "none";
    buf_printf(&body,
               "# HELP ken_cloud_info The version.\n"
               "# TYPE ken_cloud_info gauge\nken_cloud_info{version=\"" KEN_VERSION "\"} 1\n"
               "# HELP ken_cloud_requests_in_flight Requests that are not answered yet.\n"
               "# TYPE ken_cloud_requests_in_flight gauge\nken_cloud_requests_in_flight %u\n"
               "# HELP ken_cloud_connections Connections that are open.\n"
               "# TYPE ken_cloud_connections gauge\nken_cloud_connections %u\n",
               pages->in_flight, pages->connections);
    traffic_print(pages->traffic, names, &body);
    traffic_print_process(&body);
    exchange_respond(x, 200, "text/plain; version=0.0.4; charset=utf-8", body.data, body.size);
    buf_finish(&body);
}

int pages_answer(const struct pages *pages, struct exchange *x)
{
    static const struct {
        const char *path;
        void (*answer)(const struct pages *pages, struct exchange *x);
    } all[] = {{"/health", health}, {"/metrics", metrics}};
    if ((strcmp(x->method, "GET") != 0 && strcmp(x->method, "HEAD") != 0) || *x->query ||
        exchange_header(x, "Authorization"))
        return 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(x->path, all[i].path) == 0) {
            all[i].answer(pages, x);
            return 1;
        }
    return 0;
}
