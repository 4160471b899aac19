#include "cloud/s3/content_file.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/random.h"
#include "cloud/s3/digester.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDERS = 256, HASH_HEX = 32, RANDOM_HEX_DIGITS = 16, PATH_BYTES = 4096 + 128 };

void content_finish(struct content *content)
{
    free(content->blocks);
    content->blocks = NULL;
}

static void path_of(const struct s3 *s3, const char *name, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/objects/%s", s3->folder, name);
}

/* -- digesting -- */

static int read_at(int fd, void *out, size_t size, size_t offset, struct err *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, (char *)out + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(err, "read an object's file");
        if (got == 0)
            return err_set(err, ERR_CORRUPT, "read an object's file: it is too short");
        done += (size_t)got;
    }
    return 0;
}

static int digest_file(struct digester *d, int fd, size_t size, struct err *err)
{
    char *block = malloc(CONTENT_BLOCK_BYTES);
    int result = block ? 0 : err_set(err, ERR_NO_MEMORY, "store an object: out of memory");
    for (size_t done = 0; result == 0 && done < size;) {
        size_t part = size - done < CONTENT_BLOCK_BYTES ? size - done : CONTENT_BLOCK_BYTES;
        result = read_at(fd, block, part, done, err);
        if (result == 0)
            digester_add(d, block, part);
        done += part;
    }
    free(block);
    return result;
}

int content_digest(struct s3 *s3, const struct body *body, struct content *out, struct err *err)
{
    struct digester d;
    int result = digester_init(&d, s3, body->size, out, err);
    if (result == 0 && body->data)
        digester_add(&d, body->data, body->size);
    else if (result == 0)
        result = digest_file(&d, body->fd, body->size, err);
    if (result == 0)
        digester_end(&d);
    digester_finish(&d);
    return result;
}

/* -- writing -- */

/* Nothing of the key but its hash: no path, no length, no case matters to the file system. */
void content_make_name(const struct s3_request *r, char out[CONTENT_NAME_BYTES])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char unique[RANDOM_HEX_DIGITS + 1], hex[HASH_HEX + 1], text[64 + 1 + S3_MAX_KEY_BYTES + 1];
    int size = snprintf(text, sizeof text, "%s/%s", r->bucket, r->key);
    SHA256((const unsigned char *)text, (size_t)size, hash);
    hex_encode(hash, HASH_HEX / 2, hex);
    random_text(unique, RANDOM_HEX_DIGITS, RANDOM_HEX);
    snprintf(out, CONTENT_NAME_BYTES, "%.2s/%s-%s", hex, hex, unique);
}

int content_sync_folder(const struct s3 *s3, const char *name, struct err *err)
{
    char path[PATH_BYTES];
    path_of(s3, name, path);
    *strrchr(path, '/') = 0;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, "open folder %s", path);
    int result = fsync(fd) < 0 ? err_set_errno(err, "sync folder %s", path) : 0;
    close(fd);
    return result;
}

/* Under the lock. What a crash may have left without a sync is synced too, as is the mark of s3.c:
 * from now on there may be files without a row. */
static int make_folders(struct s3 *s3, struct err *err)
{
    char path[PATH_BYTES], name[8];
    for (unsigned i = 0; i < FOLDERS; i++) {
        snprintf(name, sizeof name, "%02x", i);
        path_of(s3, name, path);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return err_set_errno(err, "make folder %s", path);
    }
    if (content_sync_folder(s3, "00", err) < 0 || content_sync_folder(s3, "../running", err) < 0)
        return -1;
    s3->has_room = 1;
    return 0;
}

/* Before the first file: making so many folders takes longer than all the rest of a start. */
int content_make_room(struct s3 *s3, struct err *err)
{
    pthread_mutex_lock(&s3->room_lock);
    int result = s3->has_room ? 0 : make_folders(s3, err);
    pthread_mutex_unlock(&s3->room_lock);
    return result;
}

int content_create(const struct s3 *s3, const char *name, struct err *err)
{
    char path[PATH_BYTES];
    path_of(s3, name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? err_set_errno(err, "make %s", path) : fd;
}

/* A full disk may show only when the file is closed. */
int content_end(int fd, int result, struct err *err)
{
    if (result == 0 && fsync(fd) < 0)
        result = err_set_errno(err, "sync an object's file");
    if (close(fd) < 0 && result == 0)
        result = err_set_errno(err, "close an object's file");
    return result;
}

int content_copy(int from, int to, size_t size, struct err *err)
{
    char *block = malloc(CONTENT_BLOCK_BYTES);
    int result = block ? 0 : err_set(err, ERR_NO_MEMORY, "store an object: out of memory");
    for (size_t done = 0; result == 0 && done < size;) {
        size_t part = size - done < CONTENT_BLOCK_BYTES ? size - done : CONTENT_BLOCK_BYTES;
        result = read_at(from, block, part, done, err);
        if (result == 0)
            result = file_write_all(to, block, part, err);
        done += part;
    }
    free(block);
    return result;
}

/* Where the body's file cannot get a name. */
static int copy_body(const struct s3 *s3, const struct body *body, const char *name,
                     struct err *err)
{
    int fd = content_create(s3, name, err);
    if (fd < 0)
        return -1;
    return content_end(fd, content_copy(body->fd, fd, body->size, err), err);
}

static int link_body(const struct s3 *s3, const struct body *body, const char *name,
                     struct err *err)
{
    char path[PATH_BYTES], from[64];
    path_of(s3, name, path);
    snprintf(from, sizeof from, "/proc/self/fd/%d", body->fd);
    if (linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0)
        return copy_body(s3, body, name, err);
    return fsync(body->fd) < 0 ? err_set_errno(err, "sync %s", path) : 0;
}

static int write_body(const struct s3 *s3, const struct body *body, const char *name,
                      struct err *err)
{
    int fd = content_create(s3, name, err);
    if (fd < 0)
        return -1;
    return content_end(fd, file_write_all(fd, body->data, body->size, err), err);
}

int content_store(struct s3 *s3, const struct s3_request *r, struct content *content,
                  struct err *err)
{
    const struct body *body = &r->x->body;
    if (content_make_room(s3, err) < 0)
        return -1;
    content_make_name(r, content->name);
    int result = body->data ? write_body(s3, body, content->name, err)
                            : link_body(s3, body, content->name, err);
    if (result == 0)
        result = content_sync_folder(s3, content->name, err);
    if (result < 0)
        content_remove(s3, content->name);
    return result;
}

static int add_small(struct s3 *s3, struct digester *d, int out, const struct content_piece *piece,
                     struct err *err)
{
    const char *data = (const char *)piece->data + piece->offset;
    if (content_check_data(s3, piece, err) < 0 || file_write_all(out, data, piece->size, err) < 0)
        return -1;
    digester_add(d, data, piece->size);
    return 0;
}

/* Copy one piece, checking each block of it before it counts. */
static int add_piece(struct s3 *s3, struct digester *d, int out, const struct content_piece *piece,
                     struct err *err)
{
    if (piece->data)
        return add_small(s3, d, out, piece, err);
    int fd = content_open(s3, piece->name, piece->whole_size, err);
    if (fd < 0)
        return -1;
    char *block = malloc(CONTENT_BLOCK_BYTES);
    int result = block ? 0 : err_set(err, ERR_NO_MEMORY, "copy an object: out of memory");
    struct content_piece part = *piece;
    for (size_t left = piece->size; result == 0 && left > 0; left -= part.size) {
        size_t to_end = CONTENT_BLOCK_BYTES - part.offset % CONTENT_BLOCK_BYTES;
        part.size = left < to_end ? left : to_end;
        result = content_check(s3, fd, &part, block, err);
        if (result == 0)
            result = file_write_all(out, block, part.size, err);
        if (result == 0)
            digester_add(d, block, part.size);
        part.offset += part.size;
    }
    free(block);
    close(fd);
    return result;
}

int content_join(const struct s3_request *r, const struct content_piece *pieces, size_t count,
                 enum checksum_kind kind, struct content *out, struct err *err)
{
    struct s3 *s3 = r->s3;
    struct digester d;
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += pieces[i].size;
    *out = (struct content){.checksum_kind = kind};
    if (digester_init(&d, s3, size, out, err) < 0 || content_make_room(s3, err) < 0) {
        digester_finish(&d);
        return -1;
    }
    content_make_name(r, out->name);
    int fd = content_create(s3, out->name, err), result = fd < 0 ? -1 : 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = add_piece(s3, &d, fd, &pieces[i], err);
    if (fd >= 0)
        result = content_end(fd, result, err);
    if (result == 0)
        result = content_sync_folder(s3, out->name, err);
    if (result == 0)
        digester_end(&d);
    else if (fd >= 0)
        content_remove(s3, out->name);
    digester_finish(&d);
    return result;
}

void content_remove(struct s3 *s3, const char *name)
{
    char path[PATH_BYTES];
    if (!*name || *name == '#') /* it has no file */
        return;
    path_of(s3, name, path);
    if (unlink(path) < 0 && errno != ENOENT)
        log_line(LOG_WARN, "remove %s: %s", path, strerror(errno));
}

void content_drop(struct s3 *s3, const struct content *content)
{
    if (!content->is_borrowed)
        content_remove(s3, content->name);
}

/* -- reading -- */

int content_open(struct s3 *s3, const char *name, size_t size, struct err *err)
{
    char path[PATH_BYTES];
    struct stat status;
    path_of(s3, name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, "open %s", path);
    if (fstat(fd, &status) == 0 && (size_t)status.st_size == size)
        return fd;
    close(fd);
    return err_set(err, ERR_CORRUPT, "open %s: its size is not %zu bytes", path, size);
}

/* What is read at a time of a file, and where the wanted bytes of it go (NULL: nowhere). */
struct window {
    char *data, *out;
};

static int compare_block(const struct content_piece *piece, size_t block, uint64_t crc,
                         struct err *err)
{
    if (block < piece->block_count && (uint32_t)crc == piece->blocks[block])
        return 0;
    return err_set(err, ERR_CORRUPT, "read %s: block %zu is damaged", piece->name, block);
}

static int check_block(struct s3 *s3, const struct content_piece *piece, size_t block,
                       const void *data, size_t size, struct err *err)
{
    uint64_t crc = checksum_crc(s3->checksums, CHECKSUM_CRC32C, 0, data, size);
    return compare_block(piece, block, crc, err);
}

/* The whole file in one go: no copy but the one to `out`. */
static int check_whole(struct s3 *s3, int fd, const struct content_piece *piece, char *out,
                       struct err *err)
{
    if (read_at(fd, out, piece->size, 0, err) < 0)
        return -1;
    for (size_t at = 0; at < piece->size; at += CONTENT_BLOCK_BYTES) {
        size_t left = piece->size - at;
        if (check_block(s3, piece, at / CONTENT_BLOCK_BYTES, out + at,
                        left < CONTENT_BLOCK_BYTES ? left : CONTENT_BLOCK_BYTES, err) < 0)
            return -1;
    }
    return 0;
}

/* What of the `size` bytes at `start` of the file the piece wants. */
static void copy_wanted(const struct content_piece *piece, size_t start, const char *data,
                        size_t size, char *out)
{
    size_t end = piece->offset + piece->size;
    size_t from = piece->offset > start ? piece->offset : start;
    size_t to = end < start + size ? end : start + size;
    if (from < to)
        memcpy(out + (from - piece->offset), data + (from - start), to - from);
}

/* Through a window, so that many readers at once cost little memory. */
static int check_block_of_file(struct s3 *s3, int fd, const struct content_piece *piece,
                               size_t block, struct window *window, struct err *err)
{
    size_t start = block * CONTENT_BLOCK_BYTES, end = start + CONTENT_BLOCK_BYTES, size;
    uint64_t crc = 0;
    end = end < piece->whole_size ? end : piece->whole_size;
    for (size_t at = start; at < end; at += size) {
        size = end - at < CONTENT_WINDOW_BYTES ? end - at : CONTENT_WINDOW_BYTES;
        if (read_at(fd, window->data, size, at, err) < 0)
            return -1;
        crc = checksum_crc(s3->checksums, CHECKSUM_CRC32C, crc, window->data, size);
        if (window->out)
            copy_wanted(piece, at, window->data, size, window->out);
    }
    return compare_block(piece, block, crc, err);
}

int content_check(struct s3 *s3, int fd, const struct content_piece *piece, void *out,
                  struct err *err)
{
    size_t end = piece->offset + piece->size;
    if (out && piece->offset == 0 && piece->size == piece->whole_size)
        return check_whole(s3, fd, piece, out, err);
    struct window window = {.data = malloc(CONTENT_WINDOW_BYTES), .out = out};
    int result = window.data ? 0 : err_set(err, ERR_NO_MEMORY, "read an object: out of memory");
    for (size_t block = piece->offset / CONTENT_BLOCK_BYTES;
         result == 0 && block * CONTENT_BLOCK_BYTES < end; block++)
        result = check_block_of_file(s3, fd, piece, block, &window, err);
    free(window.data);
    return result;
}

int content_check_data(struct s3 *s3, const struct content_piece *piece, struct err *err)
{
    return piece->whole_size ? check_block(s3, piece, 0, piece->data, piece->whole_size, err) : 0;
}

/* -- at start -- */

int content_prepare(struct s3 *s3, struct err *err)
{
    char path[PATH_BYTES];
    path_of(s3, "", path);
    *strrchr(path, '/') = 0;
    return file_make_folders(path, 0700, err);
}

static int compare_name(const void *a, const void *b)
{
    return strcmp(a, *(char *const *)b);
}

static size_t sweep_folder(struct s3 *s3, unsigned folder, char *const *names, size_t count)
{
    char path[PATH_BYTES], name[CONTENT_NAME_BYTES];
    snprintf(name, sizeof name, "%02x", folder);
    path_of(s3, name, path);
    DIR *entries = opendir(path);
    size_t removed = 0;
    for (struct dirent *e; entries && (e = readdir(entries));) {
        if (e->d_name[0] == '.' || strlen(e->d_name) > CONTENT_NAME_BYTES - 4)
            continue;
        snprintf(name, sizeof name, "%02x/%.58s", folder & 0xff, e->d_name);
        if (count && bsearch(name, names, count, sizeof *names, compare_name))
            continue;
        content_remove(s3, name);
        removed++;
    }
    if (entries)
        closedir(entries);
    return removed;
}

size_t content_sweep(struct s3 *s3, char *const *names, size_t count)
{
    size_t removed = 0;
    for (unsigned i = 0; i < FOLDERS; i++)
        removed += sweep_folder(s3, i, names, count);
    return removed;
}
