#ifndef CLOUD_S3_POLICY_ACTIONS_H
#define CLOUD_S3_POLICY_ACTIONS_H

/* What the actions of a bucket's policy are about. */

enum { POLICY_ON_BUCKET = 1, POLICY_ON_OBJECT = 2 };

/* Of "s3:GetObject" or a pattern ("s3:Get*", "*"): either or both; 0: no action has that name. */
int policy_action_subjects(const char *action);

#endif
