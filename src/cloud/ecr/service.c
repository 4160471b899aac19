#include "base/file.h"
#include "cloud/access.h"
#include "cloud/ecr/ecr.h"
#include "cloud/errors.h"
#include "cloud/identity.h"
#include "cloud/services.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ecr_arn(const struct ecr *ecr, struct exchange *x, const char *repository)
{
    const char *arn = repository
                          ? arena_printf(&x->arena, "arn:aws:ecr:%s:%s:repository/%s",
                                         ecr->cloud->region, ecr->cloud->account_id, repository)
                          : "*";
    return arn ? arn : "";
}

int ecr_authorize(struct ecr *ecr, struct exchange *x, const char *action, const char *repository)
{
    return exchange_authorize(x, action, ecr_arn(ecr, x, repository));
}

/* -- who comes to /v2/: "Basic " + base64("AWS:KEYID.TOKEN"), as GetAuthorizationToken gave it --
 */

/* The password into `out`; -1: there is none. */
static int read_password(struct exchange *x, char *out, size_t out_bytes)
{
    const char *header = exchange_header(x, "Authorization");
    const char *encoded = header && strncmp(header, "Basic ", 6) == 0 ? header + 6 : "";
    size_t size = strlen(encoded);
    if (!size || size % 4 || size / 4 * 3 >= out_bytes)
        return -1;
    int decoded = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)encoded, (int)size);
    if (decoded < 0)
        return -1;
    out[decoded] = 0;
    return strncmp(out, "AWS:", 4) == 0 ? 0 : -1;
}

static int find_signer(struct ecr *ecr, struct exchange *x)
{
    char password[512];
    struct identity_secret secret;
    struct err err;
    char *token = read_password(x, password, sizeof password) == 0 ? strchr(password, '.') : NULL;
    if (!token)
        return -1;
    *token++ = 0;
    const char *id = password + strlen("AWS:");
    int result = identity_find(ecr->cloud->identities, id, token, &secret, &err);
    if (result == 0)
        result = identity_enter(x, *secret.of ? secret.of : id, &secret);
    OPENSSL_cleanse(password, sizeof password);
    OPENSSL_cleanse(&secret, sizeof secret);
    return result;
}

static void ask_for_password(struct exchange *x)
{
    static const char answer[] = "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":"
                                 "\"authentication required: aws ecr get-login-password\"}]}";
    exchange_reply_header(x, "WWW-Authenticate",
                          "Basic realm=\"ken cloud\",service=\"ecr.amazonaws.com\"");
    exchange_reply_header(x, "Docker-Distribution-Api-Version", "registry/2.0");
    exchange_respond(x, 401, "application/json", answer, sizeof answer - 1);
}

static void handle(void *self, struct exchange *x)
{
    struct ecr *ecr = self;
    if (strncmp(x->path, "/v2", 3) != 0) {
        if (x->identity.access_key_id)
            ecr_handle_api(ecr, x);
        else
            exchange_fail(x, "MissingAuthenticationTokenException",
                          "Request is missing Authentication Token");
    } else if (x->identity.access_key_id || find_signer(ecr, x) == 0) {
        ecr_handle_oci(ecr, x);
    } else {
        ask_for_password(x);
    }
}

static void destroy(void *self)
{
    struct ecr *ecr = self;
    database_close(ecr->database);
    pthread_mutex_destroy(&ecr->files);
    free(ecr);
}

static int start(void *self, struct err *err)
{
    (void)err;
    ecr_sweep(self);
    return 0;
}

static int open_store(struct ecr *ecr, struct err *err)
{
    char path[PATH_MAX];
    if (cloud_path(ecr->cloud, "ecr", ecr->folder, sizeof ecr->folder, err) < 0 ||
        cloud_path(ecr->cloud, "ecr/uploads", path, sizeof path, err) < 0 ||
        file_make_folders(path, 0700, err) < 0 ||
        cloud_path(ecr->cloud, "ecr/ecr.sqlite", path, sizeof path, err) < 0)
        return -1;
    ecr->database = database_open(path, ecr_schema, err);
    return ecr->database ? 0 : -1;
}

int ecr_service_create(struct cloud *cloud, struct err *err)
{
    struct ecr *ecr = calloc(1, sizeof *ecr);
    if (!ecr)
        return err_set(err, ERR_NO_MEMORY, "start ECR: no memory");
    ecr->cloud = cloud;
    pthread_mutex_init(&ecr->files, NULL);
    const struct service service = {.name = "ecr",
                                    .error_form = ERROR_FORM_JSON,
                                    .anonymous = 1,
                                    .memory_body_bytes = ECR_MEMORY_BODY_BYTES,
                                    .max_body_bytes = ECR_MAX_BLOB_BYTES,
                                    .handle = handle,
                                    .start = start,
                                    .destroy = destroy,
                                    .self = ecr};
    if (open_store(ecr, err) == 0) {
        cloud->ecr = ecr;
        return cloud_add(cloud, &service, err);
    }
    destroy(ecr);
    return -1;
}
