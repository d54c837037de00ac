"""Which CloudFormation or Terraform type a construct of the CDK, CDK for Terraform or Pulumi declares."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlops_audit.facts import TraitValue, values

# The names of services in CloudFormation that are not the module's name with capital letters.
SERVICES: Mapping[str, str] = {
    "sagemaker": "SageMaker", "s3": "S3", "iam": "IAM", "ecs": "ECS", "ecr": "ECR", "eks": "EKS", "ec2": "EC2",
    "sns": "SNS", "sqs": "SQS", "kms": "KMS", "ssm": "SSM", "rds": "RDS", "efs": "EFS", "dynamodb": "DynamoDB",
    "apigateway": "ApiGateway", "apigatewayv2": "ApiGatewayV2", "cloudwatch": "CloudWatch", "codebuild": "CodeBuild",
    "codepipeline": "CodePipeline", "codedeploy": "CodeDeploy", "codecommit": "CodeCommit", "apprunner": "AppRunner",
    "stepfunctions": "StepFunctions", "secretsmanager": "SecretsManager", "autoscaling": "AutoScaling",
    "applicationautoscaling": "ApplicationAutoScaling", "elasticloadbalancingv2": "ElasticLoadBalancingV2",
    "elasticbeanstalk": "ElasticBeanstalk", "kinesisfirehose": "KinesisFirehose", "cloudfront": "CloudFront",
    "lakeformation": "LakeFormation", "appconfig": "AppConfig", "ssmincidents": "SSMIncidents", "wafv2": "WAFv2",
    "ssmcontacts": "SSMContacts", "xray": "XRay", "opensearchservice": "OpenSearchService", "msk": "MSK", "mwaa": "MWAA",
    "emr": "EMR", "emrserverless": "EMRServerless", "datapipeline": "DataPipeline", "servicecatalog": "ServiceCatalog",
}  # fmt: skip

# Constructs of a higher level -> the type at their heart; everything else of a `CfnX` class follows from its name.
CLASSES: Mapping[str, str] = {
    "s3.Bucket": "AWS::S3::Bucket", "lambda.Function": "AWS::Lambda::Function", "lambda.Alias": "AWS::Lambda::Alias",
    "lambda.DockerImageFunction": "AWS::Lambda::Function", "lambda.SingletonFunction": "AWS::Lambda::Function",
    "lambda-nodejs.NodejsFunction": "AWS::Lambda::Function", "lambda-python.PythonFunction": "AWS::Lambda::Function",
    "lambda-go.GoFunction": "AWS::Lambda::Function", "lambda.EventSourceMapping": "AWS::Lambda::EventSourceMapping",
    "events.Rule": "AWS::Events::Rule", "scheduler.Schedule": "AWS::Scheduler::Schedule",
    "dynamodb.Table": "AWS::DynamoDB::Table", "dynamodb.TableV2": "AWS::DynamoDB::GlobalTable",
    "ecs.Cluster": "AWS::ECS::Cluster", "ecs.FargateService": "AWS::ECS::Service", "ecs.Ec2Service": "AWS::ECS::Service",
    "ecs.FargateTaskDefinition": "AWS::ECS::TaskDefinition", "ecs.Ec2TaskDefinition": "AWS::ECS::TaskDefinition",
    "ecs.TaskDefinition": "AWS::ECS::TaskDefinition", "ecr.Repository": "AWS::ECR::Repository",
    "ecs-patterns.ApplicationLoadBalancedFargateService": "AWS::ECS::Service",
    "ecs-patterns.ApplicationLoadBalancedEc2Service": "AWS::ECS::Service",
    "ecs-patterns.NetworkLoadBalancedFargateService": "AWS::ECS::Service",
    "ecs-patterns.QueueProcessingFargateService": "AWS::ECS::Service",
    "cloudwatch.Alarm": "AWS::CloudWatch::Alarm", "cloudwatch.CompositeAlarm": "AWS::CloudWatch::CompositeAlarm",
    "cloudwatch.Dashboard": "AWS::CloudWatch::Dashboard", "logs.LogGroup": "AWS::Logs::LogGroup",
    "iam.Role": "AWS::IAM::Role", "iam.Policy": "AWS::IAM::Policy", "iam.ManagedPolicy": "AWS::IAM::ManagedPolicy",
    "apigateway.RestApi": "AWS::ApiGateway::RestApi", "apigateway.LambdaRestApi": "AWS::ApiGateway::RestApi",
    "apigateway.CognitoUserPoolsAuthorizer": "AWS::ApiGateway::Authorizer",
    "apigateway.TokenAuthorizer": "AWS::ApiGateway::Authorizer", "apigateway.ApiKey": "AWS::ApiGateway::ApiKey",
    "apigateway.RequestAuthorizer": "AWS::ApiGateway::Authorizer", "apigatewayv2.HttpApi": "AWS::ApiGatewayV2::Api",
    "apigatewayv2-authorizers.HttpJwtAuthorizer": "AWS::ApiGatewayV2::Authorizer",
    "apigatewayv2-authorizers.HttpLambdaAuthorizer": "AWS::ApiGatewayV2::Authorizer",
    "apigatewayv2-authorizers.HttpUserPoolAuthorizer": "AWS::ApiGatewayV2::Authorizer",
    "cognito.UserPool": "AWS::Cognito::UserPool", "cognito.UserPoolClient": "AWS::Cognito::UserPoolClient",
    "kms.Key": "AWS::KMS::Key", "secretsmanager.Secret": "AWS::SecretsManager::Secret", "sns.Topic": "AWS::SNS::Topic",
    "sqs.Queue": "AWS::SQS::Queue", "stepfunctions.StateMachine": "AWS::StepFunctions::StateMachine",
    "codebuild.Project": "AWS::CodeBuild::Project", "codebuild.PipelineProject": "AWS::CodeBuild::Project",
    "codepipeline.Pipeline": "AWS::CodePipeline::Pipeline", "pipelines.CodePipeline": "AWS::CodePipeline::Pipeline",
    "codedeploy.LambdaDeploymentGroup": "AWS::CodeDeploy::DeploymentGroup",
    "codedeploy.EcsDeploymentGroup": "AWS::CodeDeploy::DeploymentGroup",
    "codedeploy.ServerDeploymentGroup": "AWS::CodeDeploy::DeploymentGroup",
    "autoscaling.AutoScalingGroup": "AWS::AutoScaling::AutoScalingGroup", "eks.Cluster": "AWS::EKS::Cluster",
    "applicationautoscaling.ScalableTarget": "AWS::ApplicationAutoScaling::ScalableTarget",
    "sagemaker.Endpoint": "AWS::SageMaker::Endpoint", "sagemaker.EndpointConfig": "AWS::SageMaker::EndpointConfig",
    "sagemaker.Model": "AWS::SageMaker::Model", "apprunner.Service": "AWS::AppRunner::Service",
    "ec2.InterfaceVpcEndpoint": "AWS::EC2::VPCEndpoint", "bedrock.Guardrail": "AWS::Bedrock::Guardrail",
}  # fmt: skip

_MEMBER = re.compile(
    r"^(?:aws_cdk\.|aws-cdk-lib[./]|@aws-cdk/|cdk_\w+\.)(?:aws[-_])?([\w-]+?)(?:[-_]alpha)?\.([A-Z]\w*)$"
)
_TERRAFORM = re.compile(r"^@cdktf/provider-([\w-]+)/lib/([\w-]+)\.([A-Z]\w*)$")
_TERRAFORM_PYTHON = re.compile(r"^cdktf_cdktf_provider_(\w+?)\.(\w+)\.([A-Z]\w*)$")
_PULUMI = re.compile(r"^(?:@pulumi/|pulumi_)([\w-]+)((?:\.\w+)*)\.([A-Z]\w*)$")


def declared_type(name: str) -> str:
    """The type that a class declares by its qualified name, "" when it is not known.

    CloudFormation types for the AWS CDK, Terraform types for CDK for Terraform and Pulumi (whose providers are made of
    those), kinds for Pulumi's Kubernetes.
    """
    member = _MEMBER.match(name)
    if member:
        service, kind = member[1].replace("_", "-"), member[2]
        service = {"lambda-": "lambda"}.get(service, service)
        known = CLASSES.get(f"{service}.{kind}")
        if known:
            return known
        if re.match(r"Cfn[A-Z]", kind):
            return f"AWS::{SERVICES.get(service, service.replace('-', ' ').title().replace(' ', ''))}::{kind[3:]}"
        return ""
    terraform = _TERRAFORM.match(name)
    if terraform:
        return f"{terraform[1].replace('-', '_')}_{terraform[2].replace('-', '_')}"
    terraform = _TERRAFORM_PYTHON.match(name)
    if terraform:
        return f"{terraform[1]}_{terraform[2]}"
    pulumi = _PULUMI.match(name)
    if pulumi and pulumi[1] == "kubernetes":
        return pulumi[3]
    if pulumi and pulumi[1] in ("aws", "gcp", "azure", "databricks"):
        provider = {"gcp": "google", "azure": "azurerm"}.get(pulumi[1], pulumi[1])
        services = [part for part in pulumi[2].split(".") if part and not re.fullmatch(r"v\d\w*", part)]
        return "_".join([provider, *services, snake(pulumi[3])])
    return ""


def snake(name: str) -> str:
    """`minReplicas` as `min_replicas`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def pascal(name: str) -> str:
    """`minReplicas` and `min_replicas` as `MinReplicas`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"_+", name))


Held = Mapping[str, TraitValue]

# What properties of constructs of a higher level become: type -> (property, text that it must hold, path, value);
# a value of "" keeps the text.
BECOMES: Mapping[str, tuple[tuple[str, str, str, str], ...]] = {
    "AWS::S3::Bucket": (
        ("BlockPublicAccess", "BLOCK_A", "PublicAccessBlockConfiguration.BlockPublicAcls", "true"),
        ("BlockPublicAccess", "BLOCK_ALL", "PublicAccessBlockConfiguration.RestrictPublicBuckets", "true"),
        ("Versioned", "true", "VersioningConfiguration.Status", "Enabled"),
        ("Encryption", "_MANAGED", "BucketEncryption.ServerSideEncryptionConfiguration.ServerSideEncryptionByDefault.SSEAlgorithm", "AES256"),
        ("Encryption", "KMS", "BucketEncryption.ServerSideEncryptionConfiguration.ServerSideEncryptionByDefault.SSEAlgorithm", "aws:kms"),
    ),
    "AWS::Lambda::Function": (
        ("Tracing", "ACTIVE", "TracingConfig.Mode", "Active"),
        ("CurrentVersionOptions.ProvisionedConcurrentExecutions", "", "ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions", ""),
    ),
    "AWS::Lambda::Alias": (
        ("ProvisionedConcurrentExecutions", "", "ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions", ""),
        ("AdditionalVersions.Weight", "", "RoutingConfig.AdditionalVersionWeights.FunctionWeight", ""),
    ),
    "AWS::IAM::Role": (("ManagedPolicies", "", "ManagedPolicyArns", ""),),
    "AWS::ECR::Repository": (("ImageScanOnPush", "true", "ImageScanningConfiguration.ScanOnPush", "true"),),
    "AWS::ECS::Cluster": (
        ("ContainerInsights", "true", "ClusterSettings.Name", "containerInsights"),
        ("ContainerInsightsV2", "ENA", "ClusterSettings.Name", "containerInsights"),
        ("ContainerInsightsV2", "ENH", "ClusterSettings.Name", "containerInsights"),
    ),
    "AWS::ECS::Service": (
        ("CircuitBreaker.Rollback", "true", "DeploymentConfiguration.DeploymentCircuitBreaker.Rollback", "true"),
        ("DeploymentController.Type", "CODE_DEPLOY", "DeploymentController.Type", "CODE_DEPLOY"),
    ),
    "AWS::CodeDeploy::DeploymentGroup": (
        ("DeploymentConfig", "", "DeploymentConfigName", ""),
        ("BlueGreenDeploymentConfig.BlueTargetGroup", "", "DeploymentStyle.DeploymentType", "BLUE_GREEN"),
        ("AutoRollback.FailedDeployment", "true", "AutoRollbackConfiguration.Enabled", "true"),
        ("AutoRollback.DeploymentInAlarm", "true", "AutoRollbackConfiguration.Enabled", "true"),
        ("AutoRollback.StoppedDeployment", "true", "AutoRollbackConfiguration.Enabled", "true"),
    ),
    "AWS::DynamoDB::Table": (
        ("Encryption", "", "SSESpecification.SSEEnabled", "true"),
        ("PointInTimeRecovery", "true", "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled", "true"),
    ),
    "AWS::Events::Rule": (("Schedule", "", "ScheduleExpression", ""), ("EventPattern.DetailType", "", "EventPattern.detail-type", "")),
    "AWS::Scheduler::Schedule": (("Schedule", "", "ScheduleExpression", ""),),
}  # fmt: skip
_METRIC = re.compile(r"\bmetric_?([A-Za-z]\w+)\(")


def declared_attributes(kind: str, held: Held) -> dict[str, TraitValue]:
    """The attributes of a type, by the names that templates of its own language give them."""
    if not kind.startswith("AWS::"):
        return {".".join(map(snake, path.split("."))): value for path, value in held.items()}
    found = {".".join(map(pascal, path.split("."))): value for path, value in held.items()}
    for name, text, path, value in BECOMES.get(kind, ()):
        given = values(found.get(name))
        if given and any(text in one for one in given):
            found[path] = value or found[name]
    if kind == "AWS::CloudWatch::Alarm":
        metric = _METRIC.search(" ".join(values(found.get("Metric"))))
        if metric:
            found.setdefault("MetricName", pascal(metric[1]))
    return found
