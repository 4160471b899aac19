#include "cloud/cloud.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/options.h"
#include "cli/verbs.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char details[] =
    "Speaks the wire protocols of S3, DynamoDB, Lambda, API Gateway, SQS, SNS, CloudWatch, Logs,\n"
    "ECR, IAM and STS on one port; see docs/cloud.md. Stops on SIGTERM or SIGINT, answering first\n"
    "what was asked. The administrator's key is AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY\n"
    "where both are set, else the one in DIR/credentials, which the first start makes.\n"
    "\n"
    "\"ken cloud env\" prints what a shell needs to speak to it.\n"
    "\n"
    "examples:\n"
    "  ken cloud --data ~/cloud &\n"
    "  eval \"$(ken cloud env --data ~/cloud)\"\n"
    "  aws s3 mb s3://photos";

#define DEFAULT_LISTEN "127.0.0.1:4566"
enum { ENDPOINT_BYTES = 256, ENV_WAIT_MS = 3000, ENV_STEP_MS = 10 };

struct settings {
    const char *data, *listen, *region, *endpoint, *ready_file, *isolation, *certificate, *key;
    long ready_fd;
    int anonymous, tls, encrypted_disk;
};

static const char *default_region(void)
{
    const char *region = getenv("AWS_REGION");
    if (!region || !*region)
        region = getenv("AWS_DEFAULT_REGION");
    return region && *region ? region : "us-east-1";
}

/* Both or none. */
static void find_key(struct cloud_options *options)
{
    const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
    if (id && *id && secret && *secret) {
        options->access_key_id = id;
        options->secret_access_key = secret;
    }
}

/* Where the cloud speaks TLS with a certificate of its own, clients are told to trust that. */
static void print_trust(const char *folder, const char *endpoint)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/tls/cert.pem", folder);
    char *whole = strncmp(endpoint, "https:", 6) == 0 ? realpath(path, NULL) : NULL;
    if (whole)
        printf("export AWS_CA_BUNDLE='%s'\nexport NODE_EXTRA_CA_CERTS='%s'\n", whole, whole);
    free(whole);
}

static void print_exports(const char *folder, const struct cloud_credentials *key,
                          const char *endpoint, const char *region)
{
    if (key) {
        printf("export AWS_ACCESS_KEY_ID=%s\n", key->access_key_id);
        printf("export AWS_SECRET_ACCESS_KEY=%s\n", key->secret_access_key);
        printf("unset AWS_SESSION_TOKEN\n");
    }
    printf("export AWS_ENDPOINT_URL=%s\n", endpoint);
    print_trust(folder, endpoint);
    printf("export AWS_REGION=%s\n", region);
    printf("export AWS_DEFAULT_REGION=%s\n", region);
}

/* DIR/endpoint: where the cloud of this folder listens, or listened last. */
static void endpoint_path(const struct settings *settings, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/endpoint", settings->data);
}

static void find_endpoint(const struct settings *settings, char out[ENDPOINT_BYTES])
{
    char path[PATH_MAX];
    struct buf text;
    struct err ignored;
    endpoint_path(settings, path);
    buf_init(&text, ENDPOINT_BYTES - 1);
    if (settings->endpoint)
        snprintf(out, ENDPOINT_BYTES, "%s", settings->endpoint);
    else if (!settings->listen && file_read(path, &text, &ignored) == 0 && text.size)
        snprintf(out, ENDPOINT_BYTES, "%.*s", (int)strcspn(text.data, "\n"), text.data);
    else
        snprintf(out, ENDPOINT_BYTES, "http://%s",
                 settings->listen ? settings->listen : DEFAULT_LISTEN);
    buf_finish(&text);
}

/* A convenience, which the next start writes anew: neither a sync nor a full disk shall keep the
 * cloud from starting. */
static void keep_endpoint(const struct settings *settings, const char *endpoint)
{
    struct err err = {0};
    char path[PATH_MAX], text[ENDPOINT_BYTES];
    endpoint_path(settings, path);
    int size = snprintf(text, sizeof text, "%s\n", endpoint);
    if (file_write_unsynced(path, text, (size_t)size, 0644, &err) < 0)
        log_line(LOG_WARN, "%s", err.message);
}

/* A cloud that was started a moment ago may not have written its address yet; its key is older. */
static int await_cloud(const struct settings *settings, struct err *err)
{
    char path[PATH_MAX];
    endpoint_path(settings, path);
    uint64_t start_ns = clock_monotonic_ns();
    while (access(path, F_OK) < 0) {
        if (clock_ms_since(start_ns) > ENV_WAIT_MS)
            return err_set(err, ERR_NOT_FOUND, "%.300s: no cloud has been started with this folder",
                           settings->data);
        clock_sleep_until_ns(clock_monotonic_ns() + ENV_STEP_MS * 1000000u);
    }
    return 0;
}

/* Without the key where the cloud was given one by its environment and so made none. */
static int print_env(const struct command_line *line, const struct settings *settings)
{
    struct err err = {0};
    struct cloud_credentials key;
    char endpoint[ENDPOINT_BYTES], path[PATH_MAX];
    snprintf(path, sizeof path, "%s/credentials", settings->data);
    if (await_cloud(settings, &err) < 0)
        return options_fail(line, &err);
    int has_key = access(path, F_OK) == 0;
    if (has_key && cloud_credentials(settings->data, &key, &err) < 0)
        return options_fail(line, &err);
    find_endpoint(settings, endpoint);
    print_exports(settings->data, has_key ? &key : NULL, endpoint, settings->region);
    return EXIT_OK;
}

/* For scripts: one line of JSON, when requests are answered. */
static int tell_ready(const struct settings *settings, const struct cloud *cloud, struct err *err)
{
    if (settings->ready_fd < 0 && !settings->ready_file)
        return 0;
    char text[512];
    int size = snprintf(text, sizeof text, "{\"endpoint\": \"%s\", \"pid\": %ld}\n",
                        cloud->endpoint, (long)getpid());
    if (settings->ready_file && file_write(settings->ready_file, text, (size_t)size, 0644, err) < 0)
        return -1;
    if (settings->ready_fd < 0)
        return 0;
    if (file_write_all((int)settings->ready_fd, text, (size_t)size, err) < 0)
        return err_wrap(err, "--ready-fd %ld", settings->ready_fd);
    if (settings->ready_fd > STDERR_FILENO)
        close((int)settings->ready_fd);
    return 0;
}

static void print_start(const struct cloud *cloud, const struct cloud_credentials *fresh)
{
    printf("ken cloud %s\n", KEN_VERSION);
    printf("  endpoint     %s\n", cloud->endpoint);
    printf("  region       %s\n", cloud->region);
    printf("  data folder  %s\n", cloud->data_folder);
    if (cloud->isolation_text)
        printf("  isolation    %s\n", cloud->isolation_text(cloud));
    if (cloud->anonymous)
        printf("  anonymous    whoever reaches this port may do everything\n");
    if (cloud->encrypted_disk)
        printf("  encryption   the disk's; S3 tells AES256 of each object\n");
    if (fresh->made) {
        printf("\nA new access key was made; it is kept in %s/credentials.\n"
               "For a shell that shall speak to this cloud:\n\n",
               cloud->data_folder);
        print_exports(cloud->data_folder, fresh, cloud->endpoint, cloud->region);
    }
    fflush(stdout);
}

/* -1: neither. */
static int find_isolation(const char *text)
{
    if (!text)
        return ISOLATION_BEST;
    if (strcmp(text, "full") == 0)
        return ISOLATION_FULL;
    return strcmp(text, "basic") == 0 ? ISOLATION_BASIC : -1;
}

static int run(const struct command_line *line, const struct settings *settings)
{
    struct err err = {0};
    struct cloud_options options = {.data_folder = settings->data,
                                    .anonymous = settings->anonymous,
                                    .encrypted_disk = settings->encrypted_disk,
                                    .tls = settings->tls,
                                    .certificate_path = settings->certificate,
                                    .key_path = settings->key,
                                    .listen = settings->listen ? settings->listen : DEFAULT_LISTEN,
                                    .region = settings->region,
                                    .isolation =
                                        (enum isolation)find_isolation(settings->isolation)};
    struct cloud_credentials key = {0};
    umask(022); /* or functions could not read their code; what is secret has a mode of its own */
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL); /* before any thread, so that only sigwait() sees it */
    find_key(&options);
    options.own = &key;
    struct cloud *cloud = cloud_start(&options, &err);
    if (!cloud)
        return options_fail(line, &err);
    keep_endpoint(settings, cloud->endpoint);
    if (tell_ready(settings, cloud, &err) < 0) {
        cloud_stop(cloud);
        return options_fail(line, &err);
    }
    print_start(cloud, &key); /* last: what it says of isolation takes a moment to find out */
    int number;
    sigwait(&stop, &number);
    cloud_stop(cloud);
    return EXIT_OK;
}

int verb_cloud(int argc, char **argv)
{
    struct settings settings = {.region = default_region(), .ready_fd = -1};
    const struct option_spec specs[] = {
        {"data", 'd', OPTION_TEXT, &settings.data, "DIR", "data folder; made when absent"},
        {"listen", 'l', OPTION_TEXT, &settings.listen, "ADDRESS:PORT",
         "where to listen, port 0: any free one (default 127.0.0.1:4566)"},
        {"region", 'r', OPTION_TEXT, &settings.region, "REGION",
         "the region it plays (default AWS_REGION, else us-east-1)"},
        {"isolation", 0, OPTION_TEXT, &settings.isolation, "full|basic",
         "of functions from the machine, see docs/lambda.md (default full where possible)"},
        {"tls", 0, OPTION_FLAG, &settings.tls, NULL,
         "speak HTTPS, with a certificate that the cloud makes for itself in DIR/tls"},
        {"tls-cert", 0, OPTION_TEXT, &settings.certificate, "FILE",
         "speak HTTPS with this certificate, and those that vouch for it, in PEM form"},
        {"tls-key", 0, OPTION_TEXT, &settings.key, "FILE", "its private key, in PEM form"},
        {"anonymous", 0, OPTION_FLAG, &settings.anonymous, NULL,
         "take requests without a signature as the administrator's"},
        {"encrypted-disk", 0, OPTION_FLAG, &settings.encrypted_disk, NULL,
         "DIR lies on a disk encrypted with AES-256, and S3 may say so (docs/s3.md)"},
        {"ready-fd", 0, OPTION_INT, &settings.ready_fd, "N",
         "write {\"endpoint\", \"pid\"} to this descriptor when ready", 0, 1 << 20},
        {"ready-file", 0, OPTION_TEXT, &settings.ready_file, "FILE", "the same into a file"},
        {"endpoint", 0, OPTION_TEXT, &settings.endpoint, "URL",
         "of \"ken cloud env\" (default where this folder's cloud listens)"},
        {0},
    };
    const struct command_line line = {.verb = "cloud",
                                      .summary = "An embedded cloud: AWS's protocols on one port.",
                                      .operands = "[env]",
                                      .details = details,
                                      .options = specs};
    int first = 0, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    struct err err = {0};
    int is_env = first < argc && strcmp(argv[first], "env") == 0;
    if (argc - first > is_env)
        err_set(&err, ERR_INVALID, "%s: takes no such argument (see ken cloud --help)",
                argv[first + is_env]);
    else if (find_isolation(settings.isolation) < 0)
        err_set(&err, ERR_INVALID, "--isolation %s: is neither full nor basic", settings.isolation);
    else if (!settings.certificate != !settings.key)
        err_set(&err, ERR_INVALID, "--tls-cert and --tls-key belong together");
    else if (!settings.data)
        err_set(&err, ERR_INVALID, "--data DIR is missing (see ken cloud --help)");
    if (err.code != ERR_NONE) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    return is_env ? print_env(&line, &settings) : run(&line, &settings);
}
