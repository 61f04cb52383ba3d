namespace Silo.Gateway.Authentication;

/// <summary>What a call may demand of its <see cref="Caller"/>.</summary>
public static class CallerPolicies
{
    /// <summary>A role of the token's own organization: <c>member</c> or <c>admin</c>.</summary>
    public const string Member = "member";

    /// <summary>The role <c>admin</c>.</summary>
    public const string Admin = "admin";
}
