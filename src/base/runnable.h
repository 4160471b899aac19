#ifndef BASE_RUNNABLE_H
#define BASE_RUNNABLE_H

/* How busy the machine's processors are at this moment: how many threads run or want to. */

/* A descriptor to ask again and again; -1 where the kernel does not tell. close() it. */
int runnable_open(void);
/* The threads, the caller among them; 0 where the kernel does not tell. Takes some microseconds. */
long runnable_threads(int fd);

#endif
