#include "aws/http.h"
#include "aws/url.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The transport over libcurl. */

struct http {
    CURL *curl;
    char problem[CURL_ERROR_SIZE];
};

/* One exchange under way. */
struct transfer {
    const struct http_request *request;
    struct http_response *response;
    size_t sent_bytes; /* of body_fd */
    int too_big, corrupt;
};

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http *http_create(struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    struct http *http = calloc(1, sizeof *http);
    if (http)
        http->curl = curl_easy_init();
    if (!http || !http->curl) {
        free(http);
        err_set(err, ERR_NO_MEMORY, "start HTTP client: out of memory");
        return NULL;
    }
    return http;
}

void http_destroy(struct http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->curl);
    free(http);
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t bytes = size * count;
    if (bytes >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        buf_clear(&transfer->response->headers); /* the final answer after a 100 Continue */
        return bytes;
    }
    if (bytes <= 2)
        return bytes;
    if (http_add_header_line(transfer->response, line, bytes) < 0) {
        transfer->too_big = transfer->response->headers.failed;
        transfer->corrupt = !transfer->too_big;
        return 0;
    }
    return bytes;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    if (buf_append(&transfer->response->body, data, size * count) < 0) {
        transfer->too_big = 1;
        return 0;
    }
    return size * count;
}

static size_t on_read(char *out, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t room = size * count, left = transfer->request->body_bytes - transfer->sent_bytes;
    if (room > left)
        room = left;
    off_t from = (off_t)(transfer->request->body_offset + transfer->sent_bytes);
    ssize_t got = pread(transfer->request->body_fd, out, room, from);
    if (got < 0 || (got == 0 && left > 0))
        return CURL_READFUNC_ABORT;
    transfer->sent_bytes += (size_t)got;
    return (size_t)got;
}

/* A body from a file may have to be sent again, on a new connection. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
    struct transfer *transfer = context;
    if (origin != SEEK_SET || offset < 0)
        return CURL_SEEKFUNC_CANTSEEK;
    transfer->sent_bytes = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer)
        *list = longer;
    return longer ? 0 : -1;
}

static struct curl_slist *make_headers(const struct http_request *request)
{
    struct curl_slist *list = NULL;
    int failed = add(&list, "Expect:"); /* never wait for 100 Continue */
    if (!http_has_header(request, "Content-Type"))
        failed |= add(&list, "Content-Type:");
    for (size_t i = 0; i < request->header_count && !failed; i++) {
        const struct http_header *header = &request->headers[i];
        struct buf line;
        buf_init(&line, HTTP_MAX_HEADER_BYTES);
        /* libcurl leaves out a header without value unless it ends in a semicolon */
        failed |= *header->value ? buf_printf(&line, "%s: %s", header->name, header->value)
                                 : buf_printf(&line, "%s;", header->name);
        if (!failed)
            failed |= add(&list, line.data);
        buf_finish(&line);
    }
    if (failed) {
        curl_slist_free_all(list);
        return NULL;
    }
    return list;
}

static void set_body(CURL *curl, const struct http_request *request, struct transfer *transfer)
{
    int is_file = !request->body && request->body_bytes > 0 && request->body_fd >= 0;
    if (is_file) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_bytes);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(curl, CURLOPT_READDATA, transfer);
        curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(curl, CURLOPT_SEEKDATA, transfer);
    } else if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        return;
    } else if (request->body || strcmp(request->method, "POST") == 0 ||
               strcmp(request->method, "PUT") == 0) {
        /* as a POST, whatever the method: libcurl then sends a small body with the header */
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_options(struct http *http, const struct http_request *request,
                        const struct url *url, struct transfer *transfer)
{
    CURL *curl = http->curl;
    curl_easy_reset(curl); /* keeps the connections */
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                     (long)(request->timeout_ms ? request->timeout_ms : HTTP_DEFAULT_TIMEOUT_MS));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->problem);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    const char *ca = getenv("AWS_CA_BUNDLE");
    if (ca && *ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    if (url_is_loopback(url)) /* a proxy of the environment cannot reach this machine */
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    set_body(curl, request, transfer);
}

static enum err_code code_of(CURLcode result, const struct transfer *transfer)
{
    if (transfer->too_big)
        return ERR_TOO_BIG;
    if (transfer->corrupt)
        return ERR_CORRUPT;
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return ERR_UNAVAILABLE;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return ERR_CORRUPT;
    case CURLE_PEER_FAILED_VERIFICATION:
        return ERR_DENIED;
    case CURLE_OUT_OF_MEMORY:
        return ERR_NO_MEMORY;
    default:
        return ERR_IO;
    }
}

int http_send(struct http *http, const struct http_request *request, struct http_response *response,
              struct err *err)
{
    struct url url;
    http_response_clear(response);
    if (url_parse(&url, request->url, err) < 0)
        return -1;
    if (http_check_headers(request, err) < 0)
        return -1;
    struct transfer transfer = {.request = request, .response = response};
    struct curl_slist *headers = make_headers(request);
    if (!headers)
        return err_set(err, ERR_NO_MEMORY, "send request: out of memory");
    http->problem[0] = 0;
    set_options(http, request, &url, &transfer);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode result = curl_easy_perform(http->curl);
    curl_slist_free_all(headers);
    if (result != CURLE_OK) {
        const char *cause = transfer.too_big   ? "the answer is too big"
                            : transfer.corrupt ? "the answer is no HTTP"
                            : *http->problem   ? http->problem
                                               : curl_easy_strerror(result);
        return err_set(err, code_of(result, &transfer), "%s http%s://%s: %s", request->method,
                       url.tls ? "s" : "", url.authority, cause);
    }
    long status = 0;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
    response->status = (int)status;
    return 0;
}
