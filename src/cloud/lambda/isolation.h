#ifndef CLOUD_LAMBDA_ISOLATION_H
#define CLOUD_LAMBDA_ISOLATION_H

/* How far the instances of functions are kept apart from the machine and from each other. */
enum isolation {
    ISOLATION_BEST, /* full where the machine permits it */
    ISOLATION_FULL, /* or the cloud does not start */
    ISOLATION_BASIC /* processes without rights, but with a view of the machine */
};

#endif
