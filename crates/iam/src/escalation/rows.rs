//! What each method of the catalogue asks on which resource, and how it works: one row a method.

use super::method::{Gain, How, Method, On, Place, Through, Unverified, UserState, method};

/// One row: the method, its permissions in the order of the catalogue with what each is asked on, and how it works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) needs: &'static [(&'static str, On)],
    pub(crate) how: How,
}

const fn row(id: &'static str, needs: &'static [(&'static str, On)], how: How) -> Row {
    Row { id, needs, how }
}

pub(crate) const fn pass(
    id: &'static str,
    service: &'static str,
    needs: &'static [(&'static str, On)],
    place: Place,
    unverified: Unverified,
) -> Row {
    Row { id, needs, how: How::Pass { service, place, unverified } }
}

const fn through(id: &'static str, needs: &'static [(&'static str, On)], through: Through, unverified: Unverified) -> Row {
    Row { id, needs, how: How::Existing { through, unverified } }
}

pub(crate) const PASS: (&str, On) = ("iam:PassRole", On::Target);
pub(crate) const TASKS: &str = "ecs-tasks.amazonaws.com";
/// What a session in a container asks of the role of its task.
pub(crate) const CHANNELS: &str = "the task role may open ssmmessages channels";
const EC2: &str = "ec2.amazonaws.com";
const LAMBDA: &str = "lambda.amazonaws.com";
const GLUE: &str = "glue.amazonaws.com";
const SAGEMAKER: &str = "sagemaker.amazonaws.com";
const CLOUDFORMATION: &str = "cloudformation.amazonaws.com";
const NOT_COLLECTED: How = How::Left("the resource that it takes over is not collected");
const DATA: How = How::Left("it gains data, no principal");

/// Every method of the catalogue, the more direct ones first: of two edges that are equally certain the earlier counts.
pub(crate) const ROWS: &[Row] = &[
    row("iam-005", &[("iam:PutRolePolicy", On::Caller)], How::Any),
    row("iam-007", &[("iam:PutUserPolicy", On::Caller)], How::Any),
    row("iam-009", &[("iam:AttachRolePolicy", On::Caller)], How::Attach),
    row("iam-008", &[("iam:AttachUserPolicy", On::Caller)], How::Attach),
    row("iam-001", &[("iam:CreatePolicyVersion", On::CallerPolicy)], How::Any),
    row("iam-011", &[("iam:PutGroupPolicy", On::CallerGroup)], How::Any),
    row("iam-010", &[("iam:AttachGroupPolicy", On::CallerGroup)], How::Attach),
    row("x-iam-set-default-version", &[("iam:SetDefaultPolicyVersion", On::CallerPolicy)], How::OlderVersion),
    row("iam-013", &[("iam:AddUserToGroup", On::OtherGroup)], How::JoinGroup),
    row("x-iam-drop-role-boundary", &[("iam:DeleteRolePermissionsBoundary", On::Caller)], How::LoseBoundary),
    row("x-iam-swap-role-boundary", &[("iam:PutRolePermissionsBoundary", On::Caller)], How::LoseBoundary),
    row("x-iam-detach-deny", &[("iam:DetachRolePolicy", On::Caller)], How::LoseAttached),
    row("x-iam-delete-inline-deny", &[("iam:DeleteRolePolicy", On::Caller)], How::LoseInline),
    row("sts-001", &[("sts:AssumeRole", On::Target)], How::TakeRole { trusted: true, gain: Gain::AsIs }),
    row("iam-012", &[("iam:UpdateAssumeRolePolicy", On::Target)], How::TakeRole { trusted: false, gain: Gain::AsIs }),
    row("iam-002", &[("iam:CreateAccessKey", On::Target)], How::TakeUser { needs: UserState::FewerThanTwoKeys, gain: Gain::AsIs }),
    row(
        "iam-003",
        &[("iam:CreateAccessKey", On::Target), ("iam:DeleteAccessKey", On::Target)],
        How::TakeUser { needs: UserState::TwoKeys, gain: Gain::AsIs },
    ),
    row("iam-004", &[("iam:CreateLoginProfile", On::Target)], How::TakeUser { needs: UserState::NoPassword, gain: Gain::AsIs }),
    row("iam-006", &[("iam:UpdateLoginProfile", On::Target)], How::TakeUser { needs: UserState::Password, gain: Gain::AsIs }),
    row(
        "x-iam-mfa-swap",
        &[("iam:UpdateLoginProfile", On::Target), ("iam:DeactivateMFADevice", On::Target)],
        How::TakeUser { needs: UserState::PasswordWithMfa, gain: Gain::AsIs },
    ),
    row("iam-017", &[("iam:PutRolePolicy", On::Target), ("sts:AssumeRole", On::Target)], How::TakeRole { trusted: true, gain: Gain::Any }),
    row(
        "iam-014",
        &[("iam:AttachRolePolicy", On::Target), ("sts:AssumeRole", On::Target)],
        How::TakeRole { trusted: true, gain: Gain::Attach },
    ),
    row(
        "iam-016",
        &[("iam:CreatePolicyVersion", On::TargetPolicy), ("sts:AssumeRole", On::Target)],
        How::TakeRole { trusted: true, gain: Gain::Any },
    ),
    row(
        "iam-021",
        &[("iam:PutRolePolicy", On::Target), ("iam:UpdateAssumeRolePolicy", On::Target)],
        How::TakeRole { trusted: false, gain: Gain::Any },
    ),
    row(
        "iam-019",
        &[("iam:AttachRolePolicy", On::Target), ("iam:UpdateAssumeRolePolicy", On::Target)],
        How::TakeRole { trusted: false, gain: Gain::Attach },
    ),
    row(
        "iam-020",
        &[("iam:CreatePolicyVersion", On::TargetPolicy), ("iam:UpdateAssumeRolePolicy", On::Target)],
        How::TakeRole { trusted: false, gain: Gain::Any },
    ),
    row(
        "iam-018",
        &[("iam:PutUserPolicy", On::Target), ("iam:CreateAccessKey", On::Target)],
        How::TakeUser { needs: UserState::FewerThanTwoKeys, gain: Gain::Any },
    ),
    row(
        "iam-015",
        &[("iam:AttachUserPolicy", On::Target), ("iam:CreateAccessKey", On::Target)],
        How::TakeUser { needs: UserState::FewerThanTwoKeys, gain: Gain::Attach },
    ),
    row("x-iam-saml-metadata", &[("iam:UpdateSAMLProvider", On::TargetProvider)], How::TakeFederated),
    row("x-sts-assume-root", &[("sts:AssumeRoot", On::Everything)], How::Left("centralised root access is not collected")),
    // ECS.
    pass("x-ecs-run-override", TASKS, &[PASS, ("ecs:RunTask", On::TaskDefinition)], Place::ClusterAndTaskDefinition, None),
    pass(
        "ecs-004",
        TASKS,
        &[PASS, ("ecs:RegisterTaskDefinition", On::TaskDefinition), ("ecs:RunTask", On::TaskDefinition)],
        Place::Cluster,
        None,
    ),
    pass(
        "ecs-003",
        TASKS,
        &[PASS, ("ecs:RegisterTaskDefinition", On::TaskDefinition), ("ecs:CreateService", On::Service)],
        Place::Cluster,
        None,
    ),
    pass(
        "ecs-005",
        TASKS,
        &[PASS, ("ecs:RegisterTaskDefinition", On::TaskDefinition), ("ecs:StartTask", On::TaskDefinition)],
        Place::ClusterWithInstance,
        None,
    ),
    pass(
        "x-ecs-update-service",
        TASKS,
        &[PASS, ("ecs:RegisterTaskDefinition", On::TaskDefinition), ("ecs:UpdateService", On::Service)],
        Place::Service,
        None,
    ),
    pass(
        "ecs-002",
        TASKS,
        &[
            PASS,
            ("ecs:CreateCluster", On::Cluster),
            ("ecs:RegisterTaskDefinition", On::TaskDefinition),
            ("ecs:RunTask", On::TaskDefinition),
        ],
        Place::NewCluster,
        None,
    ),
    pass(
        "ecs-001",
        TASKS,
        &[PASS, ("ecs:CreateCluster", On::Cluster), ("ecs:RegisterTaskDefinition", On::TaskDefinition), ("ecs:CreateService", On::Service)],
        Place::NewCluster,
        None,
    ),
    pass(
        "x-ecs-start-task-own-instance",
        TASKS,
        &[
            PASS,
            ("ecs:RegisterTaskDefinition", On::TaskDefinition),
            ("ecs:RegisterContainerInstance", On::Cluster),
            ("ecs:DiscoverPollEndpoint", On::Everything),
            ("ecs:Poll", On::ContainerInstance),
            ("ecs:StartTask", On::TaskDefinition),
        ],
        Place::Cluster,
        None,
    ),
    through("x-ecs-exec", &[("ecs:ExecuteCommand", On::Task), ("ecs:ExecuteCommand", On::Cluster)], Through::ExecTask, Some(CHANNELS)),
    through("x-ssm-ecs-session", &[("ssm:StartSession", On::Task)], Through::ExecTask, Some(CHANNELS)),
    through(
        "x-ecs-enable-exec",
        &[("ecs:UpdateService", On::Service), ("ecs:ExecuteCommand", On::Task), ("ecs:ExecuteCommand", On::Cluster)],
        Through::ServiceTask,
        Some(CHANNELS),
    ),
    through(
        "x-ecs-register-instance",
        &[
            ("ecs:RegisterContainerInstance", On::Cluster),
            ("ecs:DiscoverPollEndpoint", On::Everything),
            ("ecs:Poll", On::ContainerInstance),
            ("ecs:SubmitTaskStateChange", On::Cluster),
        ],
        Through::RogueInstance,
        Some("a task is placed on the rogue instance"),
    ),
    through(
        "x-ecs-agent-impersonation",
        &[("ecs:DiscoverPollEndpoint", On::Everything), ("ecs:Poll", On::ContainerInstance)],
        Through::AgentImpersonation,
        None,
    ),
    through(
        "x-ecr-push",
        &[
            ("ecr:InitiateLayerUpload", On::Repository),
            ("ecr:UploadLayerPart", On::Repository),
            ("ecr:CompleteLayerUpload", On::Repository),
            ("ecr:PutImage", On::Repository),
            ("ecr:GetAuthorizationToken", On::Everything),
        ],
        Through::Image,
        None,
    ),
    through("x-imds-instance-role", &[], Through::Imds, None),
    // EKS.
    through(
        "x-eks-access-entry",
        &[("eks:CreateAccessEntry", On::EksCluster), ("eks:AssociateAccessPolicy", On::AccessEntry)],
        Through::EksEntry,
        None,
    ),
    through("x-eks-associate-access-policy", &[("eks:AssociateAccessPolicy", On::AccessEntry)], Through::EksOwnEntry, None),
    through(
        "x-eks-update-access-entry",
        &[("eks:UpdateAccessEntry", On::AccessEntry)],
        Through::EksOwnEntry,
        Some("a Kubernetes group with strong RBAC"),
    ),
    through(
        "x-eks-auth-mode",
        &[
            ("eks:UpdateClusterConfig", On::EksCluster),
            ("eks:CreateAccessEntry", On::EksCluster),
            ("eks:AssociateAccessPolicy", On::AccessEntry),
        ],
        Through::EksMode,
        None,
    ),
    pass(
        "x-eks-pod-identity-create",
        "pods.eks.amazonaws.com",
        &[PASS, ("eks:CreatePodIdentityAssociation", On::EksCluster)],
        Place::EksCluster,
        Some("the caller runs a pod with the service account"),
    ),
    pass(
        "x-eks-pod-identity-update",
        "pods.eks.amazonaws.com",
        &[PASS, ("eks:UpdatePodIdentityAssociation", On::PodIdentityAssociation)],
        Place::PodIdentityAssociation,
        Some("the caller controls a pod of the association"),
    ),
    pass(
        "x-eks-nodegroup",
        EC2,
        &[PASS, ("eks:CreateNodegroup", On::EksCluster)],
        Place::EksCluster,
        Some("the caller can reach the node"),
    ),
    through("x-eks-irsa-trust", &[("iam:UpdateAssumeRolePolicy", On::Target)], Through::IrsaTrust, None),
    // Machines that run containers.
    through("ssm-001", &[("ssm:StartSession", On::Instance)], Through::Machine { agent: true }, None),
    through("ssm-002", &[("ssm:SendCommand", On::Instance), ("ssm:SendCommand", On::Some)], Through::Machine { agent: true }, None),
    through(
        "x-ssm-association",
        &[("ssm:CreateAssociation", On::Instance), ("ssm:CreateAssociation", On::Some)],
        Through::Machine { agent: true },
        None,
    ),
    through(
        "ec2-002",
        &[("ec2:ModifyInstanceAttribute", On::Instance), ("ec2:StopInstances", On::Instance), ("ec2:StartInstances", On::Instance)],
        Through::Machine { agent: false },
        None,
    ),
    through(
        "ec2instanceconnect-003",
        &[("ec2-instance-connect:SendSSHPublicKey", On::Instance), ("ec2:DescribeInstances", On::Everything)],
        Through::Machine { agent: false },
        Some("port 22 is reachable from the caller"),
    ),
    // New compute.
    pass("lambda-001", LAMBDA, &[PASS, ("lambda:CreateFunction", On::Some), ("lambda:InvokeFunction", On::Some)], Place::New, None),
    pass(
        "lambda-002",
        LAMBDA,
        &[PASS, ("lambda:CreateFunction", On::Some), ("lambda:CreateEventSourceMapping", On::Some)],
        Place::New,
        Some("a stream or queue that receives records"),
    ),
    pass("lambda-006", LAMBDA, &[PASS, ("lambda:CreateFunction", On::Some), ("lambda:AddPermission", On::Some)], Place::New, None),
    pass(
        "x-lambda-swap-role",
        LAMBDA,
        &[PASS, ("lambda:UpdateFunctionConfiguration", On::Some)],
        Place::New,
        Some("the caller controls the code and the invocation of a function"),
    ),
    pass("ec2-001", EC2, &[PASS, ("ec2:RunInstances", On::Some)], Place::InstanceProfile, None),
    pass("ec2-003", EC2, &[PASS, ("ec2:RequestSpotInstances", On::Some)], Place::InstanceProfile, None),
    pass(
        "x-ec2-associate-profile",
        EC2,
        &[PASS, ("ec2:AssociateIamInstanceProfile", On::Some)],
        Place::InstanceProfile,
        Some("the caller controls an instance without a profile"),
    ),
    pass(
        "x-ec2-replace-profile",
        EC2,
        &[PASS, ("ec2:ReplaceIamInstanceProfileAssociation", On::Some)],
        Place::InstanceProfile,
        Some("the caller controls an instance"),
    ),
    pass(
        "x-iam-role-into-profile",
        EC2,
        &[PASS, ("iam:RemoveRoleFromInstanceProfile", On::Some), ("iam:AddRoleToInstanceProfile", On::Some)],
        Place::New,
        Some("the caller controls an instance with that profile"),
    ),
    pass(
        "x-autoscaling-launch",
        EC2,
        &[PASS, ("ec2:CreateLaunchTemplate", On::Some), ("autoscaling:CreateAutoScalingGroup", On::Some)],
        Place::InstanceProfile,
        None,
    ),
    pass(
        "x-emr-cluster",
        EC2,
        &[PASS, ("elasticmapreduce:RunJobFlow", On::Some)],
        Place::InstanceProfile,
        Some("an EMR service role is passed too"),
    ),
    pass(
        "x-ssm-automation",
        "ssm.amazonaws.com",
        &[PASS, ("ssm:CreateDocument", On::Some), ("ssm:StartAutomationExecution", On::Some)],
        Place::New,
        None,
    ),
    pass("apprunner-001", "tasks.apprunner.amazonaws.com", &[PASS, ("apprunner:CreateService", On::Some)], Place::New, None),
    pass(
        "bedrock-001",
        "bedrock-agentcore.amazonaws.com",
        &[
            PASS,
            ("bedrock-agentcore:CreateCodeInterpreter", On::Some),
            ("bedrock-agentcore:StartCodeInterpreterSession", On::Some),
            ("bedrock-agentcore:InvokeCodeInterpreter", On::Some),
        ],
        Place::New,
        None,
    ),
    pass("cloudformation-001", CLOUDFORMATION, &[PASS, ("cloudformation:CreateStack", On::Some)], Place::New, None),
    pass(
        "cloudformation-003",
        CLOUDFORMATION,
        &[PASS, ("cloudformation:CreateStackSet", On::Some), ("cloudformation:CreateStackInstances", On::Some)],
        Place::New,
        Some("an administration role may assume the execution role"),
    ),
    pass(
        "cloudformation-004",
        CLOUDFORMATION,
        &[PASS, ("cloudformation:UpdateStackSet", On::Some)],
        Place::New,
        Some("the stack set has instances and a stronger execution role"),
    ),
    pass(
        "codebuild-001",
        "codebuild.amazonaws.com",
        &[PASS, ("codebuild:CreateProject", On::Some), ("codebuild:StartBuild", On::Some)],
        Place::New,
        None,
    ),
    pass(
        "codebuild-004",
        "codebuild.amazonaws.com",
        &[PASS, ("codebuild:CreateProject", On::Some), ("codebuild:StartBuildBatch", On::Some)],
        Place::New,
        None,
    ),
    pass(
        "datapipeline-001",
        "datapipeline.amazonaws.com",
        &[
            PASS,
            ("datapipeline:CreatePipeline", On::Some),
            ("datapipeline:PutPipelineDefinition", On::Some),
            ("datapipeline:ActivatePipeline", On::Some),
        ],
        Place::New,
        None,
    ),
    pass("glue-001", GLUE, &[PASS, ("glue:CreateDevEndpoint", On::Some)], Place::New, Some("the endpoint is reachable by SSH")),
    pass("glue-003", GLUE, &[PASS, ("glue:CreateJob", On::Some), ("glue:StartJobRun", On::Some)], Place::New, None),
    pass("glue-004", GLUE, &[PASS, ("glue:CreateJob", On::Some), ("glue:CreateTrigger", On::Some)], Place::New, None),
    pass("glue-005", GLUE, &[PASS, ("glue:UpdateJob", On::Some), ("glue:StartJobRun", On::Some)], Place::New, Some("a job exists")),
    pass("glue-006", GLUE, &[PASS, ("glue:UpdateJob", On::Some), ("glue:CreateTrigger", On::Some)], Place::New, Some("a job exists")),
    pass(
        "sagemaker-001",
        SAGEMAKER,
        &[PASS, ("sagemaker:CreateNotebookInstance", On::Some)],
        Place::New,
        Some("a presigned URL or a lifecycle script"),
    ),
    pass("sagemaker-002", SAGEMAKER, &[PASS, ("sagemaker:CreateTrainingJob", On::Some)], Place::New, Some("a usable bucket")),
    pass("sagemaker-003", SAGEMAKER, &[PASS, ("sagemaker:CreateProcessingJob", On::Some)], Place::New, Some("a usable bucket")),
    pass(
        "x-states-new",
        "states.amazonaws.com",
        &[PASS, ("states:CreateStateMachine", On::Some), ("states:StartExecution", On::Some)],
        Place::New,
        None,
    ),
    pass("x-scheduler", "scheduler.amazonaws.com", &[PASS, ("scheduler:CreateSchedule", On::Some)], Place::New, None),
    pass(
        "x-events-run-task",
        "events.amazonaws.com",
        &[PASS, ("events:PutRule", On::Some), ("events:PutTargets", On::Some)],
        Place::RunsTask,
        None,
    ),
    pass(
        "x-batch-job",
        TASKS,
        &[PASS, ("batch:RegisterJobDefinition", On::Some), ("batch:SubmitJob", On::Some)],
        Place::New,
        Some("a job queue exists"),
    ),
    pass(
        "x-rolesanywhere",
        "rolesanywhere.amazonaws.com",
        &[PASS, ("rolesanywhere:CreateTrustAnchor", On::Some), ("rolesanywhere:CreateProfile", On::Some)],
        Place::New,
        None,
    ),
    // Existing compute that nobody collects.
    row("lambda-003", &[], NOT_COLLECTED),
    row("lambda-004", &[], NOT_COLLECTED),
    row("lambda-005", &[], NOT_COLLECTED),
    row("x-lambda-config", &[], NOT_COLLECTED),
    row("ec2-004", &[], NOT_COLLECTED),
    row("apprunner-002", &[], NOT_COLLECTED),
    row("bedrock-002", &[], NOT_COLLECTED),
    row("cloudformation-002", &[], NOT_COLLECTED),
    row("cloudformation-005", &[], NOT_COLLECTED),
    row("codebuild-002", &[], NOT_COLLECTED),
    row("codebuild-003", &[], NOT_COLLECTED),
    row("glue-002", &[], NOT_COLLECTED),
    row("sagemaker-004", &[], NOT_COLLECTED),
    row("sagemaker-005", &[], NOT_COLLECTED),
    row("x-states-update", &[], NOT_COLLECTED),
    row("x-kms-key-policy", &[], DATA),
    row("x-kms-grant", &[], DATA),
    row("x-s3-bucket-policy", &[], DATA),
    row("x-secrets-resource-policy", &[], DATA),
];

/// The methods that the search does not assess, each with the reason.
pub fn not_assessed() -> impl Iterator<Item = (&'static Method, &'static str)> {
    ROWS.iter().filter_map(|row| if let How::Left(reason) = row.how { Some((method(row.id)?, reason)) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::escalation::method::methods;
    use std::collections::BTreeSet;

    #[test]
    fn every_method_of_the_catalogue_has_one_row() {
        let rows: Vec<&str> = ROWS.iter().map(|row| row.id).collect();
        let unique: BTreeSet<&str> = rows.iter().copied().collect();
        let catalogue: BTreeSet<&str> = methods().iter().map(|method| method.id.as_str()).collect();
        assert_eq!(rows.len(), unique.len());
        assert_eq!(unique, catalogue);
        assert_eq!(catalogue.len(), 110);
    }

    #[test]
    fn a_row_asks_for_the_permissions_of_its_method() {
        for row in ROWS.iter().filter(|row| !matches!(row.how, How::Left(_))) {
            let asked: BTreeSet<&str> = row.needs.iter().map(|(action, _)| *action).collect();
            let listed: BTreeSet<&str> = method(row.id).unwrap().permissions.iter().map(String::as_str).collect();
            assert_eq!(asked, listed, "{}", row.id);
        }
    }
}
