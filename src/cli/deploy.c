#include "cli/bundle.h"
#include "cli/deployment.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/verbs.h"

#include "base/buf.h"
#include "base/file.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __aarch64__
#define ARCHITECTURE "arm64"
#else
#define ARCHITECTURE "x86_64"
#endif

enum {
    WAIT_MS = 180 * 1000,
    OUTPUT_MODE = 0600, /* it may hold an API key */
    OUTPUT_MAX_BYTES = 64 * 1024,
};

static const char details[] =
    "Creates what is absent, changes what differs and leaves the rest, so it may be run again\n"
    "at any time: two buckets, the table, the function (a zip with ken-function, the networks\n"
    "and the gallery), and the REST API in front of it. Endpoint, region and credentials come\n"
    "from AWS_... as for every AWS tool.\n\n"
    "examples:\n"
    "  AWS_ENDPOINT_URL=http://127.0.0.1:4566 ken deploy --output deployment.json\n"
    "  ken deploy --auth key --frames-bucket my-frames --videos-bucket my-videos\n"
    "  ken deploy --package image           the function as a container image, in ECR\n"
    "  ken deploy --update-code-only        a new gallery for the function that is there";

struct deploy {
    struct deployment_wish wish;
    const char *auth, *package, *function_file, *models, *gallery, *certificates, *output;
    long memory_mb, timeout_s;
    int json, code_only, is_image;
    json_t *steps; /* for --json */
};

static void report_step(void *context, const char *what, const char *name, const char *result)
{
    struct deploy *deploy = context;
    if (!deploy->json) {
        printf("%-10s %-28s %s\n", what, name, result);
        fflush(stdout);
    }
    json_array_append_new(
        deploy->steps, json_pack("{s:s, s:s, s:s}", "what", what, "name", name, "result", result));
}

static int choose_auth(struct deploy *deploy, struct err *err)
{
    static const char *const names[] = {"none", "iam", "key"};
    static const enum apigateway_auth values[] = {APIGATEWAY_NONE, APIGATEWAY_IAM, APIGATEWAY_KEY};
    deploy->wish.auth = APIGATEWAY_IAM;
    deploy->wish.keeps_auth = !deploy->auth;
    if (!deploy->auth)
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(deploy->auth, names[i]) == 0) {
            deploy->wish.auth = values[i];
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "--auth: \"%s\" is not iam, key or none", deploy->auth);
}

static int choose_package(struct deploy *deploy, struct err *err)
{
    deploy->is_image = strcmp(deploy->package, "image") == 0;
    if (!deploy->wish.repository)
        deploy->wish.repository = deploy->wish.function;
    return deploy->is_image || strcmp(deploy->package, "zip") == 0
               ? 0
               : err_set(err, ERR_INVALID, "--package: \"%s\" is not zip or image",
                         deploy->package);
}

/* Everything that needs no network, so that a missing file leaves nothing half done. */
static int prepare(struct deploy *deploy, char key[BUNDLE_KEY_BYTES], struct buf *zip,
                   struct oci_image *image, struct err *err)
{
    char place[PATH_MAX];
    char function[PATH_MAX];
    struct oci_files files = {{deploy->function_file, paths_models(deploy->models, place),
                               paths_gallery(deploy->gallery)},
                              deploy->certificates};
    if (!files.function.function) {
        if (bundle_find_function(function, sizeof function, err) < 0)
            return -1;
        files.function.function = function;
    }
    if (bundle_gallery_key(files.function.gallery, key, err) < 0)
        return -1;
    if (!deploy->is_image)
        return bundle_make(&files.function, zip, err);
    if (oci_make(image, &files, err) < 0)
        return -1;
    const char *wanted = strcmp(deploy->wish.architecture, "arm64") == 0 ? "arm64" : "amd64";
    return strcmp(image->architecture, wanted) == 0
               ? 0
               : err_set(err, ERR_INVALID, "%s: a program for %s, not for %s",
                         files.function.function, image->architecture, deploy->wish.architecture);
}

static int add_text(const char *bytes, size_t size, void *out)
{
    return buf_append(out, bytes, size);
}

static int write_output(const struct deploy *deploy, const json_t *deployment, struct err *err)
{
    struct buf text;
    buf_init(&text, OUTPUT_MAX_BYTES);
    int dumped = json_dump_callback(deployment, add_text, &text, JSON_INDENT(2));
    buf_puts(&text, "\n");
    int done = dumped < 0 || text.failed
                   ? err_set(err, ERR_NO_MEMORY, "write %s: out of memory", deploy->output)
                   : file_write(deploy->output, text.data, text.size, OUTPUT_MODE, err);
    buf_finish(&text);
    return done;
}

static int finish(struct deploy *deploy, const struct deployment_work *work, struct err *err)
{
    json_t *deployment = deployment_json(work);
    int done = 0;
    if (!deploy->code_only)
        done = write_output(deploy, deployment, err);
    if (done == 0 && deploy->json) {
        json_t *all = deploy->code_only ? json_pack("{s:O}", "steps", deploy->steps)
                                        : json_pack("{s:O, s:O}", "steps", deploy->steps,
                                                    "deployment", deployment);
        json_dumpf(all, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(all);
    } else if (done == 0 && !deploy->code_only) {
        printf("%-10s %s\n", "URL", work->api_url);
    }
    json_decref(deployment);
    return done;
}

static int run(struct deploy *deploy, struct err *err)
{
    struct aws_config config;
    struct buf zip;
    struct oci_image image = {0};
    char key[BUNDLE_KEY_BYTES] = "";
    buf_init(&zip, BUNDLE_MAX_BYTES);
    deploy->wish.gallery_key = key;
    struct deployment_work work = {.wish = &deploy->wish,
                                   .zip = &zip,
                                   .image = deploy->is_image ? &image : NULL,
                                   .report = report_step,
                                   .context = deploy};
    int done = aws_config_load(&config, err);
    if (done == 0)
        done = prepare(deploy, key, &zip, &image, err);
    if (done == 0 && !(work.client = aws_client_create(&config, err)))
        done = -1;
    if (done == 0)
        done =
            deploy->code_only ? deployment_run_code_only(&work, err) : deployment_run(&work, err);
    if (done == 0)
        done = finish(deploy, &work, err);
    aws_client_destroy(work.client);
    buf_finish(&zip);
    oci_finish(&image);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(&config, sizeof config);
    return done;
}

/* The failure, and what to do about it. */
static int explain(const struct command_line *line, const struct deploy *deploy, struct err *err)
{
    options_fail(line, err);
    if (err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT)
        fprintf(stderr, "ken deploy: is the cloud running, and AWS_ENDPOINT_URL right?\n");
    if (json_array_size(deploy->steps) > 0)
        fprintf(stderr, "ken deploy: what was done so far stays; the same command goes on from "
                        "there\n");
    return EXIT_FAILED;
}

static int choose_and_run(struct deploy *deploy, const struct command_line *line)
{
    struct err err = {0};
    if (choose_auth(deploy, &err) < 0 || choose_package(deploy, &err) < 0) {
        options_fail(line, &err);
        return EXIT_USAGE;
    }
    deploy->wish.memory_mb = (int)deploy->memory_mb;
    deploy->wish.timeout_s = (int)deploy->timeout_s;
    deploy->wish.wait_ms = WAIT_MS;
    deploy->steps = json_array();
    int code = run(deploy, &err) < 0 ? explain(line, deploy, &err) : EXIT_OK;
    json_decref(deploy->steps);
    return code;
}

int verb_deploy(int argc, char **argv)
{
    struct deploy deploy = {.wish = {"ken-frames", "ken-videos", "ken-people", "ken-function",
                                     "ken", "facerecognition", "prod", NULL, NULL, ARCHITECTURE},
                            .package = "zip",
                            .output = "deployment.json",
                            .memory_mb = 1769,
                            .timeout_s = 10};
    struct deployment_wish *wish = &deploy.wish;
    const struct option_spec options[] = {
        {"auth", 0, OPTION_TEXT, &deploy.auth, "iam|key|none",
         "who may call: signed requests, an API key, anybody (default: as it is, else iam)", 0, 0},
        {"output", 'o', OPTION_TEXT, &deploy.output, "FILE",
         "where the deployment is written for ken edge (default deployment.json)", 0, 0},
        {"function", 0, OPTION_TEXT, &deploy.function_file, "FILE",
         "the function's program (default: ken-function beside ken)", 0, 0},
        {"package", 0, OPTION_TEXT, &deploy.package, "zip|image",
         "what the function is made of (default zip); an image goes to ECR", 0, 0},
        {"repository", 0, OPTION_TEXT, &wish->repository, "NAME",
         "of the image (default: as the function)", 0, 0},
        {"certificates", 0, OPTION_TEXT, &deploy.certificates, "FILE",
         "whom the https of an image trusts (default: the system's)", 0, 0},
        {"models", 0, OPTION_TEXT, &deploy.models, "DIR", PATHS_MODELS_HELP, 0, 0},
        {"gallery", 0, OPTION_TEXT, &deploy.gallery, "FILE",
         "the people (default: $KEN_GALLERY, else gallery.ken)", 0, 0},
        {"update-code-only", 0, OPTION_FLAG, &deploy.code_only, NULL,
         "only give the function a new program, networks and gallery", 0, 0},
        {"frames-bucket", 0, OPTION_TEXT, &wish->frames_bucket, "NAME", "default ken-frames", 0, 0},
        {"videos-bucket", 0, OPTION_TEXT, &wish->videos_bucket, "NAME", "default ken-videos", 0, 0},
        {"table", 0, OPTION_TEXT, &wish->table, "NAME", "table of records (default ken-people)", 0,
         0},
        {"function-name", 0, OPTION_TEXT, &wish->function, "NAME", "default ken-function", 0, 0},
        {"role", 0, OPTION_TEXT, &wish->role, "ARN",
         "role the function runs as (default on AWS: one named like it, made here)", 0, 0},
        {"api", 0, OPTION_TEXT, &wish->api, "NAME", "REST API, and its key (default ken)", 0, 0},
        {"resource", 0, OPTION_TEXT, &wish->resource, "NAME", "default facerecognition", 0, 0},
        {"stage", 0, OPTION_TEXT, &wish->stage, "NAME", "default prod", 0, 0},
        {"architecture", 0, OPTION_TEXT, &wish->architecture, "x86_64|arm64",
         "of the function's program (default: this machine's)", 0, 0},
        {"memory", 0, OPTION_INT, &deploy.memory_mb, "MB",
         "function's memory (default 1769: one whole processor)", 128, 10240},
        {"timeout", 0, OPTION_INT, &deploy.timeout_s, "S", "function's time limit (default 10)", 1,
         900},
        {"json", 0, OPTION_FLAG, &deploy.json, NULL, "print steps and deployment as JSON", 0, 0},
        {0},
    };
    const struct command_line line = {"deploy",
                                      "Put the function, its data and its API on AWS or ken cloud.",
                                      NULL, details, options};
    int first, code = options_start(&line, argc, argv, &first);
    return code >= 0 ? code : choose_and_run(&deploy, &line);
}
