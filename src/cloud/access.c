#include "cloud/access.h"

#include "cloud/errors.h"

int exchange_may(struct exchange *x, const struct access_question *question, struct err *err)
{
    if (x->identity.is_administrator)
        return 0;
    if (x->judge)
        return x->judge->decide(x->judge->self, x, question, err);
    return err_set(err, ERR_DENIED, "Only the administrator may do this");
}

int exchange_authorize_with(struct exchange *x, const struct access_question *question)
{
    struct err err = {0};
    if (exchange_may(x, question, &err) == 0)
        return 0;
    exchange_fail_err(x, &err);
    return -1;
}

int exchange_authorize(struct exchange *x, const char *action, const char *resource)
{
    return exchange_authorize_with(
        x, &(struct access_question){.action = action, .resource = resource});
}
