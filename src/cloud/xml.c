#include "cloud/xml.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

struct reader {
    XML_Parser parser;
    xml_element *element;
    void *context;
    struct err *err;
    int failed, depth;
    size_t elements;
    char path[XML_MAX_PATH];
    size_t lengths[XML_MAX_DEPTH]; /* of the path above each level */
    char text[XML_MAX_TEXT_BYTES + 1];
    size_t text_size;
};

static void stop(struct reader *r)
{
    r->failed = 1;
    XML_StopParser(r->parser, XML_FALSE);
}

static void refuse(struct reader *r, enum err_code code, const char *why)
{
    err_set(r->err, code, "read XML: %s", why);
    stop(r);
}

static void XMLCALL on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    (void)attributes;
    struct reader *r = context;
    const char *colon = strrchr(name, ':');
    const char *local = colon ? colon + 1 : name;
    size_t used = strlen(r->path), length = strlen(local);
    if (r->failed)
        return;
    if (r->depth == XML_MAX_DEPTH || length > XML_MAX_NAME || ++r->elements > XML_MAX_ELEMENTS) {
        refuse(r, ERR_TOO_BIG, "too deep, too long a name or too many elements");
        return;
    }
    r->lengths[r->depth++] = used;
    if (used)
        r->path[used++] = '/';
    memcpy(r->path + used, local, length + 1);
    r->text_size = 0;
}

static void XMLCALL on_end(void *context, const XML_Char *name)
{
    (void)name;
    struct reader *r = context;
    if (r->failed)
        return;
    r->text[r->text_size] = 0;
    if (r->element(r->context, r->path, r->text, r->err) < 0) {
        stop(r);
        return;
    }
    r->text_size = 0;
    r->path[r->lengths[--r->depth]] = 0;
}

static void XMLCALL on_text(void *context, const XML_Char *text, int size)
{
    struct reader *r = context;
    if (r->failed)
        return;
    if ((size_t)size > XML_MAX_TEXT_BYTES - r->text_size) {
        refuse(r, ERR_TOO_BIG, "a text is too long");
        return;
    }
    memcpy(r->text + r->text_size, text, (size_t)size);
    r->text_size += (size_t)size;
}

static void XMLCALL on_doctype(void *context, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_subset;
    refuse(context, ERR_INVALID, "a document type is not taken");
}

int xml_read(const void *data, size_t size, xml_element *element, void *context, struct err *err)
{
    struct reader r = {.element = element, .context = context, .err = err};
    if (size > INT_MAX)
        return err_set(err, ERR_TOO_BIG, "read XML: too long");
    r.parser = XML_ParserCreate(NULL);
    if (!r.parser)
        return err_set(err, ERR_NO_MEMORY, "read XML: out of memory");
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    int result = 0;
    if (XML_Parse(r.parser, data, (int)size, 1) != XML_STATUS_OK) {
        result = -1;
        if (!r.failed)
            err_set(err, ERR_INVALID, "read XML: line %lu: %s",
                    (unsigned long)XML_GetCurrentLineNumber(r.parser),
                    XML_ErrorString(XML_GetErrorCode(r.parser)));
    }
    XML_ParserFree(r.parser);
    return result;
}
